"""Few rectangles that hold all that changed, each with the surroundings that the model sees.

A change at a pixel changes results up to `halo` pixels away, and those are right only if the model
sees `halo` pixels more. A rectangle of w×h changed pixels so takes (w + 4·halo)×(h + 4·halo): many
small rectangles cost more than one around them all. The best cut into two is taken again and again,
as long as it saves something (`docs/benchmarks.md` has what other grains gave).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...common.libraries.opencv import load_cv2
from .changed import BLOCK, Blocks, Pixels

_MOST_REGIONS = 24
_SIDE_UNIT = 8
"""What regions read is a multiple of that wide and high, so that there are few sizes."""

Costs = NDArray[np.float64]
Edges = NDArray[np.intp]
_Boxes = tuple[Edges, Edges, Edges, Edges]
"""Tops, bottoms, lefts and rights."""


@dataclass(frozen=True)
class Span:
    """A region along one axis, in input pixels, half-open.

    The model reads [start, stop); its result is used for [keep_start, keep_stop).
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int


@dataclass(frozen=True)
class Region:
    """A rectangle that is computed again."""

    rows: Span
    columns: Span

    @property
    def kept_pixels(self) -> int:
        """Input pixels whose results are used."""
        return _kept(self.rows) * _kept(self.columns)

    @property
    def run_pixels(self) -> int:
        """Input pixels that the model reads."""
        return (self.rows.stop - self.rows.start) * (self.columns.stop - self.columns.start)


@dataclass(frozen=True)
class Reach:
    """What is needed of a model and a frame to cut regions.

    `call_pixels` is how many pixels could be computed in the time that a call takes besides.
    """

    height: int
    width: int
    halo: int
    multiple: int
    minimum_side: int
    call_pixels: float


def least_share(changed: Blocks, reach: Reach) -> float:
    """Share of the frame that any set of regions reads at least, from 0 to 1."""
    around = 2 * (2 * reach.halo // BLOCK) + 1
    near = load_cv2().dilate(changed.view(np.uint8), np.ones((around, around), np.uint8))
    return float(near.mean())


def regions_of(changed: Blocks, before: Pixels, after: Pixels, reach: Reach) -> list[Region]:
    """The rectangles to compute so that all results are right.

    Args:
        changed: `changed_blocks` of the two frames, at least one of them.
        before: H×W×C.
        after: the frame to compute.
        reach: of the model and the frame.
    """
    found: list[Region] = []
    waiting = [(0, changed.shape[0], 0, changed.shape[1])]
    while waiting:
        top, bottom, left, right = _trimmed(changed, *waiting.pop())
        if len(found) + len(waiting) + 2 <= _MOST_REGIONS:
            parts = _best_cut(changed[top:bottom, left:right], top, left, reach)
            if parts is not None:
                waiting += parts
                continue
        found.append(_region((top, bottom, left, right), before, after, reach))
    return found


def _region(
    blocks: tuple[int, int, int, int], before: Pixels, after: Pixels, reach: Reach
) -> Region:
    """What is to be computed for a rectangle of blocks, of which the edges are looked at again."""
    top, bottom, left, right = (int(edge) * BLOCK for edge in blocks)
    part = np.s_[top:bottom, left:right]
    differ = (before[part] != after[part]).any(axis=2)
    rows, columns = np.flatnonzero(differ.any(axis=1)), np.flatnonzero(differ.any(axis=0))
    return Region(
        _span(top + int(rows[0]), top + int(rows[-1]) + 1, reach.height, reach),
        _span(left + int(columns[0]), left + int(columns[-1]) + 1, reach.width, reach),
    )


def _trimmed(
    changed: Blocks, top: int, bottom: int, left: int, right: int
) -> tuple[int, int, int, int]:
    """The smallest rectangle with the changes of this one, which has some."""
    part = changed[top:bottom, left:right]
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return top + rows[0], top + rows[-1] + 1, left + columns[0], left + columns[-1] + 1


def _best_cut(
    part: Blocks, top: int, left: int, reach: Reach
) -> list[tuple[int, int, int, int]] | None:
    """The two rectangles, not yet trimmed, that cost the least together; None if one costs less."""
    height, width = part.shape
    bottom, right = top + height, left + width
    corners = [np.array([edge]) for edge in (top, bottom, left, right)]
    whole = _area(corners[0], corners[1], corners[2], corners[3], reach)[0]
    least_of_two = 2 * (BLOCK + 2 * reach.halo) ** 2 + reach.call_pixels  # in corners of the frame
    if height * width == 1 or whole <= least_of_two:
        return None
    above, below = _halves(part)
    before, after = _halves(part.T)
    # Of each kind of part tops, bottoms, lefts and rights, for all cuts: rows first.
    tops, bottoms, lefts, rights = (
        np.concatenate(edges)
        for edges in zip(above, below, _turned(before), _turned(after), strict=True)
    )
    areas = _area(top + tops, top + bottoms, left + lefts, left + rights, reach)
    by_row, by_column = np.split(areas, [2 * (height - 1)])
    costs = np.concatenate(
        (by_row.reshape(2, -1).sum(axis=0), by_column.reshape(2, -1).sum(axis=0))
    )
    best = int(costs.argmin())
    if costs[best] + reach.call_pixels >= whole:
        return None
    if best < height - 1:
        cut = top + best + 1
        return [(top, cut, left, right), (cut, bottom, left, right)]
    cut = left + best - (height - 1) + 1
    return [(top, bottom, left, cut), (top, bottom, cut, right)]


def _halves(part: Blocks) -> tuple[_Boxes, _Boxes]:
    """What is around the changes before and after a cut behind row 1, 2, …

    The first and the last row have changes.
    """
    count, width = part.shape
    numbers = np.arange(count)
    some = part.any(axis=1)
    first = np.where(some, part.argmax(axis=1), width)
    last = np.where(some, width - part[:, ::-1].argmax(axis=1), 0)
    above = (
        np.zeros(count - 1, np.intp),
        np.maximum.accumulate(np.where(some, numbers + 1, 0))[:-1],
        np.minimum.accumulate(first)[:-1],
        np.maximum.accumulate(last)[:-1],
    )
    below = (
        np.minimum.accumulate(np.where(some, numbers, count)[::-1])[-2::-1],
        np.full(count - 1, count),
        np.minimum.accumulate(first[::-1])[-2::-1],
        np.maximum.accumulate(last[::-1])[-2::-1],
    )
    return above, below


def _turned(boxes: _Boxes) -> _Boxes:
    """Those of a transposed part."""
    tops, bottoms, lefts, rights = boxes
    return lefts, rights, tops, bottoms


def _area(tops: Edges, bottoms: Edges, lefts: Edges, rights: Edges, reach: Reach) -> Costs:
    """Pixels that the model reads for rectangles of blocks, all arrays of one length."""
    around = 2 * reach.halo
    heights = np.minimum(bottoms * BLOCK + around, reach.height)
    heights = heights - np.maximum(tops * BLOCK - around, 0)
    widths = np.minimum(rights * BLOCK + around, reach.width)
    widths = widths - np.maximum(lefts * BLOCK - around, 0)
    return heights * widths * 1.0


def _span(first: int, end: int, full: int, reach: Reach) -> Span:
    """For changes in pixels `first` to `end` along an axis of `full` pixels.

    What is read starts at a multiple of what the model takes; it ends at one, too, or with the
    frame.
    """
    halo, multiple = reach.halo, reach.multiple
    keep_start, keep_stop = max(0, first - halo), min(full, end + halo)
    unit = math.lcm(multiple, _SIDE_UNIT)
    start = max(0, keep_start - halo) // multiple * multiple
    length = max(keep_stop + halo - start, reach.minimum_side)
    length += -length % unit
    if start + length > full:
        start = max(0, full - length) // multiple * multiple
        length = full - start
    return Span(start, start + length, keep_start, keep_stop)


def _kept(span: Span) -> int:
    return span.keep_stop - span.keep_start
