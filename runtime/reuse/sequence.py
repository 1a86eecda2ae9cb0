"""The frames of a clip through a model of one frame, computing only what changed.

The result is bit for bit that of computing everything. A frame that equals the one before it gets
the result of that one, on any backend. Parts of frames are reused where the session promises that
the results of a part do not depend on its size and place (`exact_regions`); now and then that is
checked against what is known, and no part is reused any more should it not hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import get_clock_info, perf_counter, thread_time
from typing import Protocol

import numpy as np

from ...common.errors import FrameError
from ...common.notes import Say
from ..models.file import ModelSpec
from ..session.frames import as_batch, bits_of, check_out
from ..session.pending import Pending
from ..session.protocol import Frames
from ..session.scratch import Scratch
from .changed import Blocks, changed_blocks
from .kept import Holder, Kept
from .regions import Reach, Region, least_share, regions_of
from .watch import Watch

_WORTHWHILE = 0.92
"""Parts are computed if that takes at most this share of the time of a whole frame."""
_PROMISING = 0.75
"""Regions are looked for if they might read no more than that share of the frame: they read more
than what is needed at the least."""
_TINY_SIDE = 16
_COLD = 2
"""How much longer a call takes, besides computing, when it is not repeated at once."""
# That of the thread, where it is fine: other processes then do not count.
_clock = thread_time if get_clock_info("thread_time").resolution < 1e-5 else perf_counter


class WholeUpscaler(Protocol):
    """What is needed of an `Upscaler`."""

    spec: ModelSpec
    depth: int
    """Bits per channel of the frames that it takes."""

    @property
    def exact_regions(self) -> bool:
        """Whether the results of a part do not depend on its size and place."""

    def __call__(
        self, frame: Frames, out: Frames | None = None, *, grey: bool | None = None
    ) -> Frames:
        """Upscale a frame or a part of one."""

    def submit(self, frame: Frames, out: Frames) -> Pending:
        """Start on a frame."""

    def stays_grey(self, frame: Frames) -> bool:
        """Whether the result of a frame has no colour."""


class ReusingFrame:
    """A frame that was submitted to a sequence; see `Pending`."""

    starved = False
    """It waits for no further frames; see `PendingFrame.starved`."""

    def __init__(
        self,
        pending: Pending,
        before: ReusingFrame | None = None,
        finish: Callable[[Frames], Frames] | None = None,
    ) -> None:
        """`finish` is called once with the result, after that of the frame before."""
        self._pending = pending
        self._before = before
        self._finish = finish
        self._result: Frames | None = None

    @property
    def done(self) -> bool:
        """Whether `result` returns at once."""
        return self._pending.done and (self._before is None or self._before.done)

    def result(self) -> Frames:
        """Wait for the frame.

        Raises BackendError: the engine failed, or the upscaler was closed meanwhile.
        """
        if self._result is None:
            if self._before is not None:
                self._before.result()
            out = self._pending.result()
            self._result = out if self._finish is None else self._finish(out)
            self._before = self._finish = None
        return self._result


@dataclass(frozen=True)
class _Given:
    """What was submitted."""

    frame: Frames
    out: Frames
    source: Holder | None
    pool: Holder | None


class ReusingSequence:
    """Frames that follow each other in time; used from one thread."""

    lookahead = 0
    history = 0

    def __init__(self, upscaler: WholeUpscaler, say: Say) -> None:
        self._upscaler = upscaler
        self._say = say
        self._parts = upscaler.exact_regions
        self._watch = Watch(parts=self._parts)
        self._before, self._kept = Kept(), Kept()  # the last frame and its result
        self._was_grey = False
        self._small_scratch, self._big_scratch = Scratch(), Scratch()
        self._last: ReusingFrame | None = None  # whose result is kept, or will be
        self._whole_seconds = self._call_seconds = 0.0
        self._regions_run = 0
        self._frames = 0
        self._reused = 0.0

    @property
    def reused_share(self) -> float:
        """Share of all pixels so far that were not computed again, from 0 to 1."""
        return self._reused / self._frames if self._frames else 0.0

    def prime(self, frame: Frames) -> None:
        """Nothing is done with frames from before the first."""

    def end(self) -> None:
        """Compare the next frame with none."""
        self._last = None

    def submit(
        self,
        frame: Frames,
        out: Frames,
        pool: Holder | None = None,
        *,
        source: Holder | None = None,
    ) -> ReusingFrame:
        """Take the next frame, H×W×3, which may be changed on return.

        With the pool that it is of, `source`, it is held there instead of being copied: it may be
        given back on return, and is not to be changed before it is taken again.

        `out` is sH×sW×3, to be left alone until the frame's `result` returns it. With the `pool`
        that it is of, `result` may return another array of that pool instead, which is not to be
        written to; `out` has then been given back.

        Raises:
            FrameError: `frame` or `out` is not such an array.
            BackendError: the engine failed.
        """
        upscaler = self._upscaler
        if bits_of(frame) not in (None, upscaler.depth):  # which another network computes
            self.end()
            return ReusingFrame(upscaler.submit(frame, out))
        batch, s = as_batch(frame, upscaler.depth), upscaler.spec.scale
        if frame.ndim != 3:
            raise FrameError("a sequence takes one frame after the other, H×W×3")
        if not frame.flags.c_contiguous:
            frame, source = batch[0], None
        check_out(out, (s * frame.shape[0], s * frame.shape[1], 3), upscaler.depth)
        self._frames += 1
        if not self._watch.close:
            self._watch.glance(frame)
            if not self._watch.close:
                self._last = None
                return ReusingFrame(self._upscaler.submit(frame, out))
        given = _Given(frame, out, source, pool)
        changed = self._changed(frame)
        if changed is None:
            return self._whole(given)
        if not changed.any():
            return self._same(given)
        reach = self._reach(frame) if self._parts else None
        promising = reach is not None and least_share(changed, reach) <= _PROMISING
        regions = self._worthwhile(changed, frame, reach) if reach and promising else []
        if regions:
            return self._part(given, regions)
        self._watch.missed(hopeless=self._parts and not promising)
        return self._whole(given)

    def _changed(self, frame: Frames) -> Blocks | None:
        """Where it differs from the frame before; None without one."""
        before = self._before.array
        if self._last is None or frame.shape != before.shape or frame.dtype != before.dtype:
            return None
        return changed_blocks(before, frame)

    def _same(self, given: _Given) -> ReusingFrame:
        """The result of the frame before."""
        self._watch.saved()
        self._reused += 1
        self._last = ReusingFrame(
            Pending(given.out), self._last, lambda out: self._kept.instead_of(out, given.pool)
        )
        return self._last

    def _whole(self, given: _Given) -> ReusingFrame:
        """Compute all of it, and keep it."""
        frame = given.frame
        before, self._last = self._last, None  # there is none should this fail
        started = _clock()
        pending = self._upscaler.submit(frame, given.out)
        if pending.done:
            seconds = _clock() - started
            fastest = self._whole_seconds if frame.shape == self._before.array.shape else 0.0
            self._whole_seconds = min(seconds, fastest or seconds)
        self._before.take(frame, given.source)
        self._was_grey = self._upscaler.stays_grey(frame)
        self._last = ReusingFrame(pending, before, lambda out: self._kept.take(out, given.pool))
        return self._last

    def _worthwhile(self, changed: Blocks, frame: Frames, reach: Reach) -> list[Region]:
        """The regions to compute; none if the whole frame costs about as much."""
        if self._upscaler.stays_grey(frame) != self._was_grey:
            return []
        regions = regions_of(changed, self._before.array, frame, reach)
        pixels = sum(region.run_pixels + reach.call_pixels for region in regions)
        whole = reach.height * reach.width + reach.call_pixels
        return regions if pixels <= _WORTHWHILE * whole else []

    def _reach(self, frame: Frames) -> Reach:
        """What regions of that frame depend on."""
        spec, (height, width, _) = self._upscaler.spec, frame.shape
        call_pixels = self._call_pixels(frame)
        return Reach(height, width, spec.halo, spec.size_multiple, spec.minimum_side, call_pixels)

    def _call_pixels(self, frame: Frames) -> float:
        """How many pixels could be computed in the time that a call takes besides."""
        if not self._call_seconds:
            tiny = np.ascontiguousarray(frame[:_TINY_SIDE, :_TINY_SIDE])
            self._upscaler(tiny, grey=False)  # which makes buffers
            times = []
            for _ in range(3):
                started = _clock()
                self._upscaler(tiny, grey=False)
                times.append(_clock() - started)
            self._call_seconds = _COLD * min(times)
        height, width = frame.shape[:2]
        if not self._whole_seconds:
            return 0.0
        return float(height * width) * min(1.0, self._call_seconds / self._whole_seconds)

    def _part(self, given: _Given, regions: list[Region]) -> ReusingFrame:
        """Compute some regions, and take the rest of the frame before."""
        frame, out = given.frame, given.out
        before, self._last = self._last, None  # there is none should this fail
        assert before is not None
        before.result()
        if not all(self._holds(region) for region in regions):
            self._parts = False
            self._watch = Watch(parts=False)
            name = self._upscaler.spec.name
            self._say(
                f"{name}: parts of a frame come out slightly different on this machine: only whole "
                "frames that stay the same are reused from here on"
            )
            return self._whole(given)
        np.copyto(out, self._kept.array)
        for region in regions:
            self._part_of(out, region)[...] = self._run(frame, region)
        self._before.take(frame, given.source)
        self._watch.saved()
        self._reused += max(0.0, 1 - sum(r.kept_pixels for r in regions) / frame[..., 0].size)
        self._kept.take(out, given.pool)
        self._last = ReusingFrame(Pending(out))
        return self._last

    def _holds(self, region: Region) -> bool:
        """Whether the region of the last frame comes out as its result says.

        The first region is checked, the second, the fourth, the eighth, and so on.
        """
        self._regions_run += 1
        if self._regions_run & (self._regions_run - 1):
            return True
        kept = self._part_of(self._kept.array, region)
        return np.array_equal(self._run(self._before.array, region), kept)

    def _run(self, frame: Frames, region: Region) -> Frames:
        """What is kept of a region's result."""
        s, rows, columns = self._upscaler.spec.scale, region.rows, region.columns
        height, width = rows.stop - rows.start, columns.stop - columns.start
        part = self._small_scratch.array((height, width, 3), frame.dtype)
        np.copyto(part, frame[rows.start : rows.stop, columns.start : columns.stop])
        big = self._big_scratch.array((s * height, s * width, 3), self._kept.array.dtype)
        self._upscaler(part, big, grey=self._was_grey)
        top, left = s * (rows.keep_start - rows.start), s * (columns.keep_start - columns.start)
        bottom, right = s * (rows.keep_stop - rows.start), s * (columns.keep_stop - columns.start)
        return big[top:bottom, left:right]

    def _part_of(self, big: Frames, region: Region) -> Frames:
        s, rows, columns = self._upscaler.spec.scale, region.rows, region.columns
        across = slice(s * columns.keep_start, s * columns.keep_stop)
        return big[s * rows.keep_start : s * rows.keep_stop, across]
