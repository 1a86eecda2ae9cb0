"""How parts of a frame are computed: in regions through the whole model, or layer by layer.

Layer by layer is faster, and what a backend offers for some models (`Upscaler.keep_layers`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..models.file import ModelSpec
from ..session.grey import make_grey
from ..session.pending import Pending
from ..session.protocol import Frames, KeptLayers
from ..session.scratch import Scratch
from .changed import changed_blocks
from .regions import Reach, Region, least_share, regions_of
from .timing import clock

WORTHWHILE = 0.92
"""Parts are computed if that takes at most this share of the time of a whole frame."""
_PROMISING = 0.75
"""Regions are looked for if they might read no more than that share of the frame: they read more
than what is needed at the least."""
_TINY_SIDE = 16
_COLD = 2
"""How much longer a call takes, besides computing, when it is not repeated at once."""


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

    def keep_layers(self, height: int, width: int) -> KeptLayers[Any] | None:
        """Memory to compute frames of that size layer by layer, if that is possible."""

    def turn(self) -> AbstractContextManager[None]:
        """Keep calls of other threads waiting."""


@dataclass(frozen=True)
class Past:
    """The frame before."""

    frame: Frames
    """H×W×3."""
    result: Frames
    """sH×sW×3."""
    grey: bool
    """Whether the result has no colour, which is so for the next frame as well."""


@dataclass(frozen=True)
class Work:
    """The parts of a frame to compute."""

    cost: float
    """Time relative to that of a whole frame."""
    run: Callable[[], float]
    """Computes them, and writes the whole result. Returns the share of it that was computed, from
    0 to 1."""
    holds: Callable[[], bool]
    """Whether parts of the frame before come out again as in its result. It writes to the array
    for the result."""


class Parts(Protocol):
    """Computes parts of the frames of one size."""

    def whole(self, frame: Frames, out: Frames) -> Pending:
        """Start to compute all of a frame, before parts of the next one are computed."""

    def plan(self, before: Past, after: Frames, out: Frames, whole_seconds: float) -> Work | None:
        """What to compute of a frame; None if nearly all of it changed.

        Args:
            before: the last frame.
            after: the frame to compute, H×W×3, in which something changed.
            out: for its result; it may be written to.
            whole_seconds: how long a whole frame takes; 0 if that is not known.
        """


class LayerParts:
    """Parts layer by layer."""

    def __init__(self, upscaler: WholeUpscaler, layers: KeptLayers[Any]) -> None:
        self._upscaler = upscaler
        self._layers = layers
        self._likely = False  # that parts of the next frame are enough
        self._was_checked = False

    def whole(self, frame: Frames, out: Frames) -> Pending:
        with self._upscaler.turn():
            self._layers.compute(frame, out)
        return Pending(out, finish=make_grey if self._upscaler.stays_grey(frame) else None)

    def plan(self, before: Past, after: Frames, out: Frames, whole_seconds: float) -> Work | None:
        layers = self._layers
        with self._upscaler.turn():
            change = layers.change(after, before.result, out, likely=self._likely)
        self._likely = change.cost <= WORTHWHILE
        if change.cost > 1:
            return None

        def run() -> float:
            with self._upscaler.turn():
                return layers.update(after, change, before.result, out, grey=before.grey)

        def holds() -> bool:
            all_rows, self._was_checked = not self._was_checked, True
            with self._upscaler.turn():
                return layers.holds(change, before.result, out, grey=before.grey, all_rows=all_rows)

        return Work(change.cost, run, holds)


class RegionParts:
    """Parts as rectangles, each through the whole model."""

    def __init__(self, upscaler: WholeUpscaler, height: int, width: int) -> None:
        self._upscaler = upscaler
        self._size = height, width
        self._call_seconds = 0.0
        self._small_scratch, self._big_scratch = Scratch(), Scratch()

    def whole(self, frame: Frames, out: Frames) -> Pending:
        return self._upscaler.submit(frame, out)

    def plan(self, before: Past, after: Frames, out: Frames, whole_seconds: float) -> Work | None:
        height, width = self._size
        changed = changed_blocks(before.frame, after)
        if least_share(changed, self._reach(0.0)) > _PROMISING:
            return None
        reach = self._reach(self._call_pixels(after, whole_seconds))
        regions = regions_of(changed, before.frame, after, reach)
        pixels = sum(region.run_pixels + reach.call_pixels for region in regions)

        def upscale_regions(frame: Frames) -> None:
            np.copyto(out, before.result)
            for region in regions:
                self._run(frame, region, out, grey=before.grey)

        def run() -> float:
            upscale_regions(after)
            return sum(region.kept_pixels for region in regions) / (height * width)

        def holds() -> bool:
            upscale_regions(before.frame)
            return np.array_equal(out, before.result)

        return Work(pixels / (height * width + reach.call_pixels), run, holds)

    def _reach(self, call_pixels: float) -> Reach:
        spec, (height, width) = self._upscaler.spec, self._size
        return Reach(height, width, spec.halo, spec.size_multiple, spec.minimum_side, call_pixels)

    def _call_pixels(self, frame: Frames, whole_seconds: float) -> float:
        """How many pixels could be computed in the time that a call takes besides."""
        if not self._call_seconds:
            tiny = np.ascontiguousarray(frame[:_TINY_SIDE, :_TINY_SIDE])
            self._upscaler(tiny, grey=False)  # which makes buffers
            times = []
            for _ in range(3):
                started = clock()
                self._upscaler(tiny, grey=False)
                times.append(clock() - started)
            self._call_seconds = _COLD * min(times)
        height, width = self._size
        if not whole_seconds:
            return 0.0
        return float(height * width) * min(1.0, self._call_seconds / whole_seconds)

    def _run(self, frame: Frames, region: Region, out: Frames, *, grey: bool) -> None:
        """Write what is kept of a region's result."""
        s, rows, columns = self._upscaler.spec.scale, region.rows, region.columns
        height, width = rows.stop - rows.start, columns.stop - columns.start
        part = self._small_scratch.array((height, width, 3), frame.dtype)
        np.copyto(part, frame[rows.start : rows.stop, columns.start : columns.stop])
        big = self._big_scratch.array((s * height, s * width, 3), out.dtype)
        self._upscaler(part, big, grey=grey)
        top, left = s * (rows.keep_start - rows.start), s * (columns.keep_start - columns.start)
        bottom, right = s * (rows.keep_stop - rows.start), s * (columns.keep_stop - columns.start)
        across = slice(s * columns.keep_start, s * columns.keep_stop)
        out[s * rows.keep_start : s * rows.keep_stop, across] = big[top:bottom, left:right]
