"""A large picture strip by strip, so that its result need never be in memory as a whole."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ...common.images import Picture
from ...common.images.formats.png_writer import PngWriter
from ...common.libraries.opencv import load_cv2
from ..models.file import ModelSpec
from ..tiling import Span, TilePlan, minimum_tile, plan_fixed_tiles
from ..video.sanity import has_structure, refuse_nonsense
from .rows import HeldRows, Rows

Pixels = NDArray[Any]

_TILES_TO_TRY = 24
_BASE_BYTES = 400 << 20  # Python, libraries, model

TileDone = Callable[[int, int], None]
Call = Callable[[Callable[[], Pixels]], Pixels]


class StripSizes(NamedTuple):
    """How large pictures are cut."""

    tile_pixels: int = 1 << 19
    """Of the input, run at once."""
    strip_bytes: int = 96 << 20
    """Of the result."""
    reading_bytes: int = 200 << 20
    """Of memory, at least, for a file that is read in parts."""


STRIPS = StripSizes()


class TileUpscaler(Protocol):
    """What is needed of an `Upscaler`."""

    spec: ModelSpec
    depth: int
    """Bits per channel of what it takes."""

    @property
    def scale(self) -> int:
        """How many times larger the result is."""

    def __call__(
        self, frame: Pixels, out: Pixels | None = None, *, grey: bool | None = None
    ) -> Pixels:
        """See `Upscaler`."""


class StripUpscaler:
    """Runs pictures in strips of tiles that overlap by the network's reach: exactly the whole.

    `progress` takes the tiles done, at first 0, and those in all.
    """

    def __init__(
        self,
        upscaler: TileUpscaler,
        progress: TileDone = lambda done, total: None,
        sizes: StripSizes = STRIPS,
    ) -> None:
        self.sizes = sizes
        self._upscaler = upscaler
        self._progress = progress
        self.scale = upscaler.scale
        self.depth = upscaler.depth

    def __call__(self, frame: Pixels, out: Pixels | None = None) -> Pixels:
        """Upscale H×W×3 into `out`, of its type, sH×sW×3, and return it, as an `Upscaler` does."""
        height, width = frame.shape[:2]
        plan = self.plan(height, width) if self.is_possible else None
        if plan is None:
            return self._upscaler(frame, out)
        if out is None:
            out = np.empty((self.scale * height, self.scale * width, 3), frame.dtype)
        start = 0
        for strip in self.run(HeldRows(Picture(frame)), plan):
            out[start : start + len(strip)] = strip
            start += len(strip)
        return out

    @property
    def is_possible(self) -> bool:
        """Whether the network sees no more than a part of a picture at a time."""
        spec = self._upscaler.spec
        return spec.is_local and not spec.has_fixed_size and spec.window == 1

    @property
    def reach(self) -> int:
        """How many pixels around one the network looks at."""
        return self._upscaler.spec.halo

    def plan(self, height: int, width: int) -> TilePlan | None:
        """The strips (rows) and their tiles (columns) of a picture; None if one tile does.

        The sides of the plan are filled up to the model's size multiple.
        """
        spec = self._upscaler.spec
        multiple = spec.size_multiple
        height, width = (side + -side % multiple for side in (height, width))
        if height * width <= self.sizes.tile_pixels:
            return None
        # Two halos of each tile are computed twice: a side of four halos bounds that to half of it.
        least = max(minimum_tile(spec.halo, multiple, spec.minimum_side), 4 * spec.halo)
        rows = self.sizes.strip_bytes // (3 * self.depth // 8 * spec.scale * spec.scale * width)
        tall = _multiple_of(min(height, max(least, rows, 64)), multiple)
        wide = _multiple_of(min(width, max(least, self.sizes.tile_pixels // tall)), multiple)
        return plan_fixed_tiles(height, width, spec.halo, multiple, (tall, wide))

    def memory_bytes(self, height: int, width: int) -> int:
        """About what the work takes beside the picture itself."""
        plan = self.plan(height, width)
        tile = self.sizes.tile_pixels if plan is None else plan.height * plan.width
        strip = (
            3 * self.depth // 8 * self.scale**2 * width * (height if plan is None else plan.height)
        )
        spec = self._upscaler.spec
        return _BASE_BYTES + strip + tile * (2 * spec.activation_bytes + 9 * self.scale**2)

    def seconds(self, height: int, width: int) -> float | None:
        """About how long a picture takes, tried with a tile; None of one that has few."""
        plan = self.plan(height, width) if self.is_possible else None
        if plan is None or (count := len(plan.rows) * len(plan.columns)) < _TILES_TO_TRY:
            return None
        random = np.random.default_rng(0)
        rough = random.integers(0, 256, (plan.height // 8 + 1, plan.width // 8 + 1, 3), np.uint8)
        tile = load_cv2().resize(rough, (plan.width, plan.height)).astype(f"u{self.depth // 8}")
        tile *= 257 if self.depth > 8 else 1
        self._upscaler(tile)  # the first one takes longer
        began = monotonic()
        big = self._upscaler(tile)
        trial = PngWriter(io.BytesIO(), big.shape[1], len(big), 3, depth=self.depth)
        trial.write(big)

        return (monotonic() - began) * count

    def run(
        self, rows: Rows, plan: TilePlan, call: Call = lambda function: function()
    ) -> Iterator[Pixels]:
        """Upscale a picture, and yield n×sW×3 of its type from top to bottom, in the same memory.

        `call` runs the network on one tile: `call_interruptibly`, or just so. Raises BackendError:
        the first tile that shows something has nothing of it in its result.
        """
        s, height, width = self.scale, rows.height, rows.width
        total, done = len(plan.rows) * len(plan.columns), 0
        self._progress(done, total)
        # Of the whole picture, as its tiles are to agree.
        grey = rows.is_grey() and self._upscaler.spec.task == "super-resolution" and s > 1
        is_checked = False
        memory = np.empty((s * plan.height, s * width, 3), rows.head.bgr.dtype)
        for row in plan.rows:
            stop = min(row.keep_stop, height)
            strip = memory[: s * (stop - row.keep_start)]
            part = rows.colours(row.start, row.start + plan.height)
            for column in plan.columns:
                tile = np.ascontiguousarray(part[:, column.start : column.start + plan.width])
                big = call(partial(self._upscaler, tile, grey=grey))
                if not is_checked and has_structure(tile):
                    refuse_nonsense(tile, big, self._upscaler.spec.name)
                    is_checked = True
                _place(strip, big, row, column, stop, min(column.keep_stop, width), s)
                done += 1
                self._progress(done, total)
            yield strip


def enlarged_alpha(rows: Rows, start: int, stop: int, scale: int) -> Pixels | None:
    """Rows `scale`·start to `scale`·stop of the transparency, H×W, resized by a cubic filter."""
    found = rows.alpha(start, stop)
    if found is None:
        return None
    cv2 = load_cv2()
    part, above = found
    size = part.shape[1] * scale, len(part) * scale
    big: Pixels = cv2.resize(part, size, interpolation=cv2.INTER_CUBIC)
    return big[scale * above : scale * (above + stop - start)]


def _place(
    strip: Pixels, big: Pixels, row: Span, column: Span, stop: int, right: int, s: int
) -> None:
    top, left = s * (row.keep_start - row.start), s * (column.keep_start - column.start)
    height, width = s * (stop - row.keep_start), s * (right - column.keep_start)
    strip[:, s * column.keep_start : s * right] = big[top : top + height, left : left + width]


def _multiple_of(side: int, multiple: int) -> int:
    return math.ceil(side / multiple) * multiple
