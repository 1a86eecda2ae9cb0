"""Source -> bounded queue -> upscaler -> bounded queue -> sink, a thread each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Protocol

from .channel import AbortedError, Channel
from .frame import Frame, Image
from .pool import FramePool
from .stats import PipelineStats

QUEUE_FRAMES = 4
"""Frames that may wait between two stages: enough to even out their jitter, little memory."""
_TICK_SECONDS = 0.1
_STOP_SECONDS = 0.8
_FAILURE_STOP_SECONDS = 30.0


class FrameUpscaler(Protocol):
    """What the pipeline needs of an `Upscaler`."""

    @property
    def scale(self) -> int:
        """How many times wider and higher the result is."""

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        """Upscale uint8 H×W×3 BGR into `out`, uint8 sH×sW×3, and return it."""


class FrameSink(Protocol):
    """Where the frames go."""

    def write(self, frame: Frame) -> None:
        """Take a frame; its buffer is free again on return."""

    def finish(self) -> None:
        """Complete the output after the last frame."""


class Pipeline:
    """Runs a source through an upscaler into a sink, once.

    Order is kept, memory is bounded by the queues, and buffers are used again: input frames go
    back to `pool` (the source's), output frames come from a pool of the pipeline. The first error
    of any stage stops the others and is the one that `run` raises. The three threads are daemons,
    so one that is stuck in native code cannot keep the process alive.
    """

    def __init__(
        self,
        source: Iterable[Frame],
        upscaler: FrameUpscaler,
        sink: FrameSink,
        *,
        pool: FramePool | None = None,
        queue_frames: int = QUEUE_FRAMES,
    ) -> None:
        self._source = source
        self._upscaler = upscaler
        self._sink = sink
        self._input_pool = pool or FramePool()
        self._output_pool = FramePool()
        self._decoded: Channel[tuple[Frame, float]] = Channel(queue_frames)
        self._upscaled: Channel[tuple[Frame, float]] = Channel(queue_frames)
        self._error: BaseException | None = None
        self._error_lock = threading.Lock()
        self._done = threading.Event()
        self._running = 3
        self.stats = PipelineStats()

    def run(self, on_tick: Callable[[PipelineStats], None] | None = None) -> PipelineStats:
        """Process every frame; `on_tick` is called about ten times a second from this thread.

        An exception raised in this thread while it waits (Ctrl-C, for instance, or one out of
        `on_tick`) stops the stages, too, and is raised again within a second.
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
            while not self._done.wait(_TICK_SECONDS):
                self.stats.wall_seconds = perf_counter() - started
                if on_tick is not None:
                    on_tick(self.stats)
        except BaseException:
            self._abort()
            _join(threads, _STOP_SECONDS)
            raise
        _join(threads, _FAILURE_STOP_SECONDS)
        self.stats.wall_seconds = perf_counter() - started
        if self._error is not None:
            raise self._error
        if self.stats.frames_written != self.stats.frames_decoded:
            raise RuntimeError(
                f"Decoded {self.stats.frames_decoded} frames but wrote {self.stats.frames_written}."
            )
        if on_tick is not None:
            on_tick(self.stats)
        return self.stats

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
            with self._error_lock:
                self._running -= 1
                if self._running == 0 or self._error is not None:
                    self._done.set()

    def _abort(self) -> None:
        self._decoded.abort()
        self._upscaled.abort()

    def _decode(self) -> None:
        busy = self.stats.busy_seconds
        started = perf_counter()
        for frame in self._source:
            now = perf_counter()
            busy["decode"] += now - started
            self.stats.frames_decoded += 1
            self._decoded.put((frame, now))
            started = perf_counter()
        self._decoded.close()

    def _upscale(self) -> None:
        scale, busy = self._upscaler.scale, self.stats.busy_seconds
        for frame, born in self._decoded:
            started = perf_counter()
            height, width = frame.bgr_u8.shape[:2]
            out = self._output_pool.take((height * scale, width * scale, 3))
            result = self._upscaler(frame.bgr_u8, out)
            self._input_pool.give_back(frame.bgr_u8)
            frame.bgr_u8 = result
            busy["upscale"] += perf_counter() - started
            self.stats.frames_upscaled += 1
            self._upscaled.put((frame, born))
        self._upscaled.close()

    def _encode(self) -> None:
        busy = self.stats.busy_seconds
        for frame, born in self._upscaled:
            started = perf_counter()
            self._sink.write(frame)
            self._output_pool.give_back(frame.bgr_u8)
            now = perf_counter()
            busy["encode"] += now - started
            self.stats.latency.add(now - born)
            self.stats.frames_written += 1
        started = perf_counter()
        self._sink.finish()
        busy["encode"] += perf_counter() - started


def _join(threads: list[threading.Thread], seconds: float) -> None:
    """Wait for all threads together at most so long; what is stuck longer is left behind."""
    deadline = perf_counter() + seconds
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, deadline - perf_counter()))
