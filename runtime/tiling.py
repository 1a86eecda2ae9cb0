"""Cuts a frame into tiles whose outputs, put together, equal the output of the whole frame.

A convolutional network with receptive-field radius `halo` gives, `halo` or more pixels away from a
cut, what it gives on the whole frame; nearer to the cut it does not, so those pixels come from the
next tile. At the frame's own borders a tile ends where the frame ends, so that the network's zero
padding is seen there and only there.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, product

from .session.protocol import UNDER_WAY, Frames, PipelinedSession, Session


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels, all half-open.

    The tile reads [start, start + size); its output is used for [keep_start, keep_stop).
    """

    start: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class TilePlan:
    """All tiles of one frame size: every row span with every column span, each height x width."""

    height: int
    width: int
    rows: tuple[Span, ...]
    columns: tuple[Span, ...]


def minimum_tile(halo: int, multiple: int, minimum_side: int = 1) -> int:
    """The smallest usable tile side: two halos and at least one multiple of kept pixels."""
    return multiple * max(math.ceil(2 * halo / multiple) + 1, math.ceil(minimum_side / multiple))


def plan_tiles(
    height: int,
    width: int,
    halo: int,
    multiple: int,
    *,
    max_pixels: int,
    side: int | None = None,
    minimum_side: int = 1,
) -> TilePlan | None:
    """Tiles for a height x width frame (both multiples of `multiple`), or None if one run does.

    With `side`, at least `minimum_tile`, tiles are at most side x side. Without, a frame of more
    than `max_pixels` is cut into tiles of at most that many pixels, or of the smallest possible
    size if that is larger. Tiles are few and nearly equal, so that little is computed twice.
    """
    least = minimum_tile(halo, multiple, minimum_side)
    if side is not None:
        tile_height = _at_most(side, height, halo, multiple, least)
        tile_width = _at_most(side, width, halo, multiple, least)
    else:
        tile_height, tile_width = _fit(height, width, halo, multiple, max_pixels, least)
    return _plan(height, width, tile_height, tile_width, halo, multiple)


def plan_fixed_tiles(
    height: int,
    width: int,
    halo: int,
    multiple: int,
    fixed: tuple[int | None, int | None],
) -> TilePlan | None:
    """Tiles of a network that takes one height, or width, or both, and the frame is no smaller.

    None if the frame is of that size. What is not fixed is as long as the frame. Tiles overlap by
    two halos, or by an eighth where they are too small for that and seams cannot be avoided.
    """
    tile_height, tile_width = fixed[0] or height, fixed[1] or width
    cut = [tile for tile, full in ((tile_height, height), (tile_width, width)) if tile < full]
    if any(tile < minimum_tile(halo, multiple) for tile in cut):
        halo = min(cut) // 16 // multiple * multiple  # the overlap is two of them
    return _plan(height, width, tile_height, tile_width, halo, multiple)


def _plan(
    height: int, width: int, tile_height: int, tile_width: int, halo: int, multiple: int
) -> TilePlan | None:
    if (tile_height, tile_width) == (height, width):
        return None
    return TilePlan(
        tile_height,
        tile_width,
        _spans(height, tile_height, halo, multiple),
        _spans(width, tile_width, halo, multiple),
    )


def _at_most(side: int, full: int, halo: int, multiple: int, least: int) -> int:
    """The side of the fewest even tiles of at most `side`, and at least `least`."""
    count = 1
    while (even := _even(full, count, halo, multiple, least)) > max(side, least):
        count += 1
    return even


def _fit(
    height: int, width: int, halo: int, multiple: int, max_pixels: int, least: int
) -> tuple[int, int]:
    """Cut the longer side of the tile once more until the tile has at most `max_pixels`."""
    full, sides, counts = (height, width), [height, width], [1, 1]
    while sides[0] * sides[1] > max_pixels:
        axis = 0 if sides[0] >= sides[1] else 1
        if sides[axis] <= least:
            break
        counts[axis] += 1
        sides[axis] = _even(full[axis], counts[axis], halo, multiple, least)
    return sides[0], sides[1]


def _even(full: int, count: int, halo: int, multiple: int, least: int) -> int:
    """The side of `count` equal tiles that overlap by two halos and cover `full`."""
    step = math.ceil((full - 2 * halo) / count / multiple) * multiple
    padded_halo = minimum_tile(halo, multiple) - multiple  # two halos, up to whole multiples
    return min(full, max(step + padded_halo, least))


def _spans(full: int, tile: int, halo: int, multiple: int) -> tuple[Span, ...]:
    """Tiles along one axis; of each, what lies within a halo of a cut is not kept.

    frame   |--------------------------------------|
    tile 1  |====== kept =====|. halo .|
    tile 2           |. halo .|= kept =|. halo .|
    tile 3                    |. halo .|=== kept ==|
    """
    if tile == full:
        return (Span(0, 0, full),)
    step = (tile - 2 * halo) // multiple * multiple
    spans: list[Span] = []
    start, kept = 0, 0
    while kept < full:
        start = min(start, full - tile)  # the last tile is shifted inward
        stop = full if start + tile == full else start + tile - halo
        spans.append(Span(start, kept, stop))
        kept = stop
        start += step
    return tuple(spans)


class TileRunner:
    """Runs a frame tile by tile; keeps a tile of input and one or two of output between frames."""

    def __init__(
        self,
        plan: TilePlan,
        scale: int,
        allocate: Callable[[tuple[int, ...]], Frames],
        window: int = 1,
    ) -> None:
        """For a network that takes `window` frames at once; `allocate` makes an uninitialised uint8
        array.
        """
        self.plan = plan
        self._scale = scale
        self._allocate = allocate
        self._tile = allocate((window, plan.height, plan.width, 3))
        self._outputs: list[Frames] = []

    def run(
        self,
        session: Session,
        frames: Frames,
        out: Frames,
        proceed: Callable[[], None] = lambda: None,
    ) -> None:
        """Upscale `frames`, uint8 window×H×W×3, into `out`, uint8 sH×sW×3.

        On a session that is pipelined the next tile is copied while one is computed. `proceed` is
        called before each tile; what it raises ends the work.
        """
        if isinstance(session, PipelinedSession) and session.pipelined:
            self._run_overlapping(session, frames, out, proceed)
            return
        (big,) = self._results(1)
        for row, column in product(self.plan.rows, self.plan.columns):
            proceed()
            self._cut(frames, row, column)
            session.run(self._tile, big)
            self._place(big, out, row, column)

    def _run_overlapping(
        self,
        session: PipelinedSession,
        frames: Frames,
        out: Frames,
        proceed: Callable[[], None],
    ) -> None:
        under_way: deque[tuple[Callable[[], None], Frames, Span, Span]] = deque()
        results = cycle(self._results(UNDER_WAY))

        def collect() -> None:
            wait, big, *place = under_way.popleft()
            wait()
            self._place(big, out, *place)

        try:
            for place in product(self.plan.rows, self.plan.columns):
                proceed()
                self._cut(frames, *place)
                if len(under_way) == UNDER_WAY:
                    collect()
                big = next(results)
                under_way.append((session.start(self._tile, big), big, *place))
            while under_way:
                collect()
        except BaseException:
            session.drop()  # else it would be taken for the next frame's
            raise

    def _results(self, count: int) -> list[Frames]:
        """Arrays for the results of so many tiles."""
        s, plan = self._scale, self.plan
        while len(self._outputs) < count:
            self._outputs.append(self._allocate((1, s * plan.height, s * plan.width, 3)))
        return self._outputs[:count]

    def _cut(self, frames: Frames, row: Span, column: Span) -> None:
        """Copy a tile out of each frame."""
        source = frames[:, row.start : row.start + self.plan.height]
        self._tile[...] = source[:, :, column.start : column.start + self.plan.width]

    def _place(self, big: Frames, out: Frames, row: Span, column: Span) -> None:
        """Copy what is kept of a tile's result to its place."""
        s = self._scale
        kept = big[0, s * (row.keep_start - row.start) :]
        kept = kept[:, s * (column.keep_start - column.start) :]
        height = s * (row.keep_stop - row.keep_start)
        width = s * (column.keep_stop - column.keep_start)
        target = out[s * row.keep_start : s * row.keep_stop]
        target[:, s * column.keep_start : s * column.keep_stop] = kept[:height, :width]
