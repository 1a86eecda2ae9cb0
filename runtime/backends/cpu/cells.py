"""Cells of a frame, eight pixels beside each other: which of them layers compute, and their memory.

Cells below each other make a strip, eight pixels wide. A layer runs cells of any number of strips
as one picture that is ten pixels wide: row by row what it reads for them, the row above and the row
below those that are wanted included. Rows that follow each other are read once. Results of rows
that have neighbours of elsewhere are not used.

The last strip is moved inward if the frame's width is no multiple of eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....common.libraries.opencv import load_cv2
from .interleaved import PixelRows

CELL = 8
"""Width of a cell in pixels."""
AROUND = CELL + 2
"""Width of what a layer reads for one."""
_GROUPED = 12  # the same of the first layer, see `grouped`
_ALPHA = np.uint32(0xFF000000) if np.little_endian else np.uint32(0xFF)

Places = NDArray[np.intp]
Marks = NDArray[np.uint8]
"""0 or 1 for each pixel of a frame, and 0 to the right of it up to a multiple of eight."""


@dataclass(frozen=True)
class Rows:
    """Rows of strips that a layer reads, strip by strip from the top.

    Attributes:
        places: of each row, as `Values.read` takes them.
        targets: places of the cells that are computed, one for each row but the first and the last;
            `Strips.nowhere` for results that are not used.
        in_first: how many are of the first strip; `in_last`: of the last one.
    """

    places: Places
    targets: Places
    in_first: int
    in_last: int

    def __len__(self) -> int:
        """Number of rows that are read."""
        return len(self.places)


class Strips:
    """The strips of frames of one size."""

    def __init__(self, height: int, width: int) -> None:
        """For frames of at least `CELL` pixels in width."""
        self.height, self.width = height, width
        self.count = -(-width // CELL)
        self.lefts = np.minimum(np.arange(self.count) * CELL, width - CELL)
        self._places = self.lefts[:, np.newaxis] + np.arange(height + 2) * width
        self.nowhere = (height + 2) * width
        """A place that no layer reads."""

    def different(self, before: NDArray[Any], after: NDArray[Any]) -> Marks:
        """Which pixels differ between two frames, H×W×3."""
        cv2 = load_cv2()
        pixels = cv2.cvtColor(cv2.absdiff(before, after), cv2.COLOR_BGR2BGRA).view(np.uint32)
        marks = np.zeros((self.height, self.count * CELL), np.uint8)
        np.not_equal(pixels[..., 0], _ALPHA, out=marks[:, : self.width].view(np.bool_))
        return marks

    def near(self, marks: Marks, distance: int) -> list[int]:
        """For each row how many cells have a marked pixel at most `distance` away."""
        cv2, side = load_cv2(), 2 * distance + 1
        cells = _cells(cv2.dilate(marks, np.ones((side, side), np.uint8)))
        found: list[int] = cv2.reduce(cells, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0].tolist()
        return found

    def reached(self, marks: Marks, first: int, end: int, layers: int) -> list[Rows]:
        """For each layer what it has to compute so that rows `first` to `end` of the result hold.

        Layer by layer, what differs reaches one pixel further. A layer computes one row more above
        and below than the next one.
        """
        # All layers at once: a call takes as long as computing thousands of values.
        dilate, near = load_cv2().dilate, np.ones((3, 3), np.uint8)
        top, bottom = max(0, first - layers), min(self.height, end + layers)
        wanted = np.zeros((layers, self.count, bottom - top + 2), np.bool_)
        part = marks[top:bottom]
        for cells in wanted:
            part = dilate(part, near)
            cells[:, 1:-1] = _cells(part).T
        numbers, around = np.arange(top - 1, bottom + 1), np.arange(layers)[::-1, np.newaxis]
        wanted &= ((numbers >= first - around) & (numbers < end + around))[:, np.newaxis]
        read = wanted.copy()
        read[..., 1:] |= wanted[..., :-1]
        read[..., :-1] |= wanted[..., 1:]
        table = self._places[:, top : bottom + 2]
        places = np.broadcast_to(table, read.shape)[read]
        targets = np.where(wanted[read], places, self.nowhere)
        # How many rows come before each layer, its second strip and its last one.
        strips = np.arange(layers)[:, np.newaxis] * self.count + [0, 1, self.count - 1, self.count]
        before = np.searchsorted(np.flatnonzero(read), strips * table.shape[1]).tolist()
        return [
            Rows(places[start:stop], targets[start + 1 : stop - 1], second - start, stop - last)
            for start, second, last, stop in before
        ]


def _cells(marks: Marks) -> NDArray[np.uint8]:
    """0 or 1 for each cell: whether it has a marked pixel."""
    some: NDArray[np.bool_] = marks.view(np.uint64) != 0
    return some.view(np.uint8)


class Values:
    """What one layer reads: C codes for each pixel of a frame, with some memory around them."""

    @staticmethod
    def of_layers(strips: Strips, channels: Sequence[int]) -> list[Values]:
        """Those of all layers, in one piece of memory, which so can have large pages."""
        sizes = [_bytes(strips, count) for count in channels]
        pieces = np.split(np.zeros(sum(sizes), np.uint8), np.cumsum(sizes)[:-1])
        return [Values(strips, *each) for each in zip(channels, pieces, strict=True)]

    def __init__(self, strips: Strips, channels: int, memory: NDArray[np.uint8]) -> None:
        height, width = strips.height, strips.width
        size, start = height * width * channels, (width + 1) * channels
        self.all = memory[start : start + size].reshape(1, height, width, channels)
        self._channels = channels
        columns = _GROUPED if channels == 3 else AROUND  # 3 are the first layer's
        places, step = strips.nowhere + 1, (channels,)
        self._around = np.ndarray((places,), f"V{columns * channels}", memory, 0, step)
        self._inside = np.ndarray((places,), f"V{CELL * channels}", memory, channels, step)

    def read(self, rows: Rows, start: int, end: int) -> NDArray[np.uint8]:
        """A copy of some of the rows, with black beyond the frame: N×(columns·C)."""
        found = self._around[rows.places[start:end]].view(np.uint8).reshape(end - start, -1)
        if start < rows.in_first:
            found[: rows.in_first - start, : self._channels] = 0
        last = len(rows) - rows.in_last - start
        if last < end - start:
            found[max(0, last) :, (AROUND - 1) * self._channels :] = 0
        return found

    def write(self, targets: Places, codes: NDArray[np.uint8]) -> None:
        """Write the codes of cells, N×(8·C)."""
        self._inside[targets] = codes.view(self._inside.dtype)[:, 0]


def _bytes(strips: Strips, channels: int) -> int:
    """Of what one layer reads: a row and a pixel before the frame, two rows and more behind it."""
    size = ((strips.height + 3) * strips.width + 1 + _GROUPED) * channels
    return size + -size % 64


class Shuffle:
    """The pixel shuffle of cells, into a result."""

    def __init__(self, strips: Strips, scale: int, channels: int) -> None:
        self._width = strips.width
        self._rows = PixelRows(scale, channels)

    def pixels(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Of codes of N cells, N×(8·C), the sub-rows of a picture, s×N×8s×3."""
        s = self._rows.scale
        found = np.empty((s, len(codes), s * CELL, 3), np.uint8)
        self._rows.part(codes.reshape(len(codes), -1), list(found.reshape(s, len(codes), -1)))
        return found

    def write(self, places: Places, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Write the pixels of cells at those places to the result of a frame, sH×sW×3."""
        s, width = self._rows.scale, self._width
        unit = 3 * s  # bytes of one sub-row of a pixel
        count = (out.nbytes - CELL * unit) // unit + 1
        windows = np.ndarray((count,), f"V{CELL * unit}", out, 0, (unit,))
        rows, lefts = np.divmod(places - width, width)
        first = rows * (s * width) + lefts
        for number, words in enumerate(pixels.reshape(s, len(places), -1)):
            windows[first + number * width] = words.view(windows.dtype)[:, 0]
