"""Source -> bounded queue -> upscaler -> bounded queue -> sink, a thread each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import Protocol

from ..session.protocol import UNDER_WAY
from .channel import AbortedError, Channel
from .clip.frame import Frame
from .clip.pool import FramePool
from .stats import PipelineStats
from .step import FrameStep, FrameUpscaler, PendingStep
from .watchdog import Watchdog

QUEUE_FRAMES = 4
"""Frames that may wait between two stages: enough to even out their jitter, little memory."""
_TICK_SECONDS = 0.1
_STOP_SECONDS = 0.8
_FAILURE_STOP_SECONDS = 30.0


class FrameSink(Protocol):
    """Where the frames go."""

    def write(self, frame: Frame) -> None:
        """Take a frame; its buffer is free again on return."""

    def finish(self) -> None:
        """Complete the output after the last frame."""


@dataclass
class _UnderWay:
    """A frame that the upscaler works on."""

    frame: Frame
    born: float
    pending: PendingStep
    seconds: float  # that submitting it took


class Pipeline:
    """Runs a source through an upscaler into a sink, once.

    Order is kept, memory is bounded by the queues, and buffers are used again: input frames go
    back to `pool` (the source's), output frames come from a pool of the pipeline. The first error
    of any stage stops the others and is the one that `run` raises. The three threads are daemons,
    so one that is stuck in native code cannot keep the process alive.

    A file source waits for a slow upscaler. With `live` the source never waits: one
    frame waits at most, the newest, and those that it displaced are counted as dropped.
    """

    def __init__(
        self,
        source: Iterable[Frame],
        upscaler: FrameUpscaler | FrameStep,
        sink: FrameSink,
        *,
        pool: FramePool | None = None,
        queue_frames: int = QUEUE_FRAMES,
        live: bool = False,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._source = source
        self._step = upscaler if isinstance(upscaler, FrameStep) else FrameStep(upscaler)
        self._sink = sink
        self._input_pool = pool or FramePool()
        self._output_pool = self._step.pool()
        waiting = 1 if live else queue_frames
        self._decoded: Channel[tuple[Frame, float]] = Channel(waiting, latest=live)
        self._upscaled: Channel[tuple[Frame, float]] = Channel(waiting)
        self._watchdog = watchdog or Watchdog()
        if live:  # a live source has timeouts of its own
            self._watchdog.ignore("decode")
        self._error: BaseException | None = None
        self._error_lock = threading.Lock()
        self._done = threading.Event()
        self._stopped = False
        self.stats = PipelineStats()

    def run(
        self,
        on_tick: Callable[[PipelineStats], None] | None = None,
        *,
        tick_seconds: float = _TICK_SECONDS,
    ) -> PipelineStats:
        """Process every frame; `on_tick` is called every `tick_seconds` from this thread.

        An exception raised in this thread while it waits (Ctrl-C, for instance, or one out of
        `on_tick`) stops the stages, too, and is raised again within a second. A stage that is
        stuck for longer than the watchdog allows ends the run with a `FrameliftError`.
        """
        stages = (self._decode, self._upscale, self._encode)
        threads = [
            threading.Thread(
                target=self._guard, args=(stage,), name=f"framelift{stage.__name__}", daemon=True
            )
            for stage in stages
        ]
        started = perf_counter()
        try:
            for thread in threads:
                thread.start()
            while not self._done.wait(tick_seconds):
                self.stats.wall_seconds = perf_counter() - started
                self._watchdog.check()
                if on_tick is not None:
                    on_tick(self.stats)
        except BaseException:
            self._abort()
            _join(threads, _STOP_SECONDS)
            raise
        _join(threads, _STOP_SECONDS if self._stopped else _FAILURE_STOP_SECONDS)
        self.stats.wall_seconds = perf_counter() - started
        if self._error is not None:
            raise self._error
        kept = self.stats.frames_decoded - self.stats.frames_dropped
        if self.stats.frames_written != kept:
            raise RuntimeError(f"Kept {kept} frames but wrote {self.stats.frames_written}.")
        if on_tick is not None:
            on_tick(self.stats)
        return self.stats

    def stop(self) -> None:
        """End as if the source had ended: what was decoded is still written and completed.

        May be called from any thread. The source itself does not notice; its thread is left behind
        should it be stuck.
        """
        self._stopped = True
        self._decoded.close()

    def _guard(self, stage: Callable[[], None]) -> None:
        try:
            stage()
        except AbortedError:
            pass
        except BaseException as error:
            with self._error_lock:
                self._error = self._error or error
            self._abort()
        finally:
            # The sink is the last to end when all is well.
            if self._error is not None or stage == self._encode:
                self._done.set()

    def _abort(self) -> None:
        self._decoded.abort()
        self._upscaled.abort()

    def _decode(self) -> None:
        frames = iter(self._source)
        while True:
            with self._watchdog.watch("decode"):
                started = perf_counter()
                frame = next(frames, None)
                now = perf_counter()
            if frame is None:
                break
            self.stats.worked("decode", now - started)
            if frame.is_context:
                self._decoded.put((frame, now))
                continue
            displaced = self._decoded.put((frame, now))
            self.stats.frames_decoded += 1
            if displaced is not None:
                self.stats.frames_dropped += 1
                self._input_pool.give_back(displaced[0].bgr)
        self._decoded.close()

    def _upscale(self) -> None:
        """Submit each frame that is there before waiting for the one submitted before it.

        What looks ahead waits for the frames that it needs, and at the end does without.
        """
        under_way: deque[_UnderWay] = deque()
        while True:
            must_wait = not under_way or under_way[0].pending.starved
            taken = self._decoded.take(wait=must_wait)
            ended = taken is None and must_wait
            if taken is not None and taken[0].is_context:
                self._prime(taken[0])
                continue
            if taken is not None:
                under_way.append(self._submit(*taken))
            elif not under_way:
                break
            while under_way and (ended or self._is_next(under_way, idle=taken is None)):
                self._collect(under_way.popleft())
            del taken  # hold no frame while waiting for the next
        self._upscaled.close()

    def _is_next(self, under_way: deque[_UnderWay], *, idle: bool) -> bool:
        """Whether to wait for the oldest frame now; `idle`: none has come meanwhile."""
        oldest = under_way[0].pending
        if oldest.starved:
            return False
        running = sum(not one.pending.starved for one in under_way)
        return idle or oldest.done or running >= UNDER_WAY

    def _prime(self, frame: Frame) -> None:
        with self._watchdog.watch("upscale"):
            self._step.prime(frame.bgr)
            self._input_pool.give_back(frame.bgr)

    def _submit(self, frame: Frame, born: float) -> _UnderWay:
        with self._watchdog.watch("upscale"):
            started = perf_counter()
            image = frame.bgr
            if frame.alpha is not None:
                frame.alpha = self._step.enlarged_alpha(frame.alpha)
            out = self._output_pool.take(self._step.output_shape(image))
            pending = self._step.submit(image, out, self._output_pool, source=self._input_pool)
            self._input_pool.give_back(image)
        return _UnderWay(frame, born, pending, perf_counter() - started)

    def _collect(self, oldest: _UnderWay) -> None:
        with self._watchdog.watch("upscale"):
            started = perf_counter()
            oldest.frame.bgr = oldest.pending.result()
            self.stats.worked("upscale", oldest.seconds + perf_counter() - started)
        self.stats.frames_upscaled += 1
        self.stats.reused_share = self._step.reused_share
        self._upscaled.put((oldest.frame, oldest.born))

    def _encode(self) -> None:
        for frame, born in self._upscaled:
            with self._watchdog.watch("encode"):
                started = perf_counter()
                self._sink.write(frame)
                self._output_pool.give_back(frame.bgr)
                now = perf_counter()
            self.stats.worked("encode", now - started)
            self.stats.wrote(frame, born, now)
        started = perf_counter()
        self._sink.finish()
        self.stats.busy_seconds["encode"] += perf_counter() - started


def _join(threads: list[threading.Thread], seconds: float) -> None:
    """Wait for all threads together at most so long; what is stuck longer is left behind."""
    deadline = perf_counter() + seconds
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - perf_counter()))
