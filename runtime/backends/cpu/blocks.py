"""Blocks of 8×8 pixels of a frame: which of them layers have to compute, and how they are copied.

The last row and the last column of blocks are moved inward if the frame's sides are no multiples
of 8, so that no block is smaller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from ....common.libraries.opencv import load_cv2
from .chain import AROUND, BLOCK
from .interleaved import PixelRows

Places = NDArray[np.intp]
"""Numbers of blocks, in rows from the top."""

_GROUPED = 12  # columns that the first layer reads, see `grouped`
_TOP, _BOTTOM, _LEFT, _RIGHT = 1, 2, 4, 8


class Grid:
    """The blocks of frames of one size."""

    def __init__(self, height: int, width: int) -> None:
        """For frames of at least `BLOCK` pixels on each side."""
        self.height, self.width = height, width
        self._rows, self._columns = -(-height // BLOCK), -(-width // BLOCK)
        tops = np.minimum(np.arange(self._rows) * BLOCK, height - BLOCK)
        lefts = np.minimum(np.arange(self._columns) * BLOCK, width - BLOCK)
        self.tops = tops.repeat(self._columns)
        self.lefts = np.tile(lefts, self._rows)
        self.first_pixels = self.tops * width + self.lefts
        self.edges = (
            _TOP * (self.tops == 0)
            + _BOTTOM * (self.tops == height - BLOCK)
            + _LEFT * (self.lefts == 0)
            + _RIGHT * (self.lefts == width - BLOCK)
        )
        """For each block the sides of the frame that it lies at, as bits."""

    @property
    def count(self) -> int:
        """Number of all blocks."""
        return len(self.edges)

    def reached(self, before: NDArray[Any], after: NDArray[Any], layers: int) -> list[Places]:
        """For each layer the blocks whose results can differ between two frames, H×W×3.

        Layer by layer, a change reaches one pixel further.
        """
        cv2 = load_cv2()
        same = cv2.inRange(cv2.absdiff(before, after), (0, 0, 0), (0, 0, 0))
        marks = np.zeros((self._rows * BLOCK, self._columns * BLOCK), np.uint8)
        frame = marks[: self.height, : self.width]
        cv2.bitwise_not(same, dst=frame)
        near = np.ones((3, 3), np.uint8)
        found = []
        for _ in range(layers):
            frame[...] = cv2.dilate(frame, near)
            words = marks.view(np.uint64).reshape(self._rows, BLOCK, self._columns)
            found.append(np.flatnonzero(np.bitwise_or.reduce(words, axis=1)))
        return found


class Values:
    """What one layer reads: C codes for each pixel of a frame, with some memory around them."""

    def __init__(self, grid: Grid, channels: int) -> None:
        height, width = grid.height, grid.width
        size = height * width * channels
        margin = (width + _GROUPED) * channels
        margin += -margin % 64
        memory = np.zeros(size + 2 * margin, np.uint8)
        self.all = memory[margin : margin + size].reshape(1, height, width, channels)
        self._grid = grid
        grouped = channels == 3  # the first layer's
        word = np.uint8 if grouped else np.uint64
        bytes_of = word().itemsize
        columns = _GROUPED if grouped else AROUND
        places = (height - BLOCK) * width + width - BLOCK + 1
        rows = width * channels
        before = memory[margin - (width + 1) * channels :]
        self._around = as_strided(
            before[: len(before) // 8 * 8].view(word),
            (places, AROUND, columns * channels // bytes_of),
            (channels, rows, bytes_of),
        )
        self._inside = as_strided(
            memory[margin:].view(word),
            (places, BLOCK, BLOCK * channels // bytes_of),
            (channels, rows, bytes_of),
        )
        self._outside = _outside(channels, columns).view(word)

    def around(self, places: Places) -> NDArray[Any]:
        """A copy of blocks with the pixel around them, black beyond the frame: N×10×…"""
        found: NDArray[Any] = self._around[self._grid.first_pixels[places]]
        edges = self._grid.edges[places]
        some = np.flatnonzero(edges)
        if len(some):
            found[some] &= self._outside[edges[some]]
        return found

    def put(self, places: Places, codes: NDArray[np.uint8]) -> None:
        """Write the codes of blocks, N·64·C."""
        word = self._inside.dtype
        shape = (len(places), *self._inside.shape[1:])
        self._inside[self._grid.first_pixels[places]] = codes.view(word).reshape(shape)


def _outside(channels: int, columns: int) -> NDArray[np.uint8]:
    """For each set of edges a mask of what lies within the frame: 16×10×(columns·C)."""
    masks = np.full((16, AROUND, columns, channels), 255, np.uint8)
    for edges in range(16):
        if edges & _TOP:
            masks[edges, 0] = 0
        if edges & _BOTTOM:
            masks[edges, -1] = 0
        if edges & _LEFT:
            masks[edges, :, 0] = 0
        if edges & _RIGHT:
            masks[edges, :, AROUND - 1 :] = 0
    return masks.reshape(16, AROUND, columns * channels)


class Shuffle:
    """The pixel shuffle of blocks, into a result."""

    def __init__(self, grid: Grid, scale: int) -> None:
        self._grid, self._rows = grid, PixelRows(scale)

    def pixels(self, codes: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
        """Of codes of the last layer, N·8·8·(3·s²), those of a picture: N×8s×8s×3."""
        s = self._rows.scale
        found = np.empty((count, s * BLOCK, s * BLOCK, 3), np.uint8)
        self._rows.copy(codes.reshape(count * BLOCK, -1), found)
        return found

    def put(self, places: Places, pixels: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Write the pixels of blocks to the result of a frame, sH×sW×3."""
        s, word, grid = self._rows.scale, self._rows.word, self._grid
        columns = BLOCK * self._rows.words
        row = grid.width * s * 3
        windows = as_strided(
            out.reshape(-1).view(word),
            (grid.height - BLOCK + 1, grid.width - BLOCK + 1, s * BLOCK, columns),
            (s * row, 3 * s, row, word.itemsize),
        )
        words = pixels.reshape(-1).view(word).reshape(len(places), s * BLOCK, columns)
        windows[grid.tops[places], grid.lefts[places]] = words
