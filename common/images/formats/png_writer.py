"""PNG files written line by line, so that a picture larger than the memory can be."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import IO

import numpy as np

from ..content.picture import AnyPixels
from ..content.png_chunks import SIGNATURE, chunk

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_SUB, _UP = 1, 2
_LEVEL = 2  # a photograph of 7 megapixels takes 1.0 s and 7.7 MB; with level 6, 4.6 s and 6.9 MB
_LINES = 64  # filtered at a time


class PngWriter:
    """One PNG of a size that is known before.

    The lines are uint8 or, of a `depth` of 16 bits, uint16: n×W (grey) or n×W×C with 2 (grey,
    alpha), 3 (RGB) or 4 (RGBA) channels.
    """

    def __init__(
        self,
        file: IO[bytes],
        width: int,
        height: int,
        channels: int,
        chunks: Iterable[tuple[bytes, bytes]] = (),
        *,
        depth: int = 8,
    ) -> None:
        self._file = file
        self._pixel_bytes = channels * depth // 8
        self._before = np.zeros((1, width * self._pixel_bytes), np.uint8)
        self._deflate = zlib.compressobj(_LEVEL, strategy=zlib.Z_FILTERED)
        header = struct.pack(">IIBBBBB", width, height, depth, _COLOUR_TYPES[channels], 0, 0, 0)
        file.write(SIGNATURE + chunk(b"IHDR", header))
        for kind, data in chunks:
            file.write(chunk(kind, data))

    def write(self, lines: AnyPixels) -> None:
        """Add lines at the bottom."""
        if lines.dtype == np.uint16:
            lines = lines.astype(">u2")
        flat = np.ascontiguousarray(lines).reshape(len(lines), -1).view(np.uint8)
        for start in range(0, len(flat), _LINES):
            part = flat[start : start + _LINES]
            self._put(self._deflate.compress(self._filtered(part)))
            self._before = part[-1:].copy()

    def close(self) -> None:
        """Write the end, after the last line."""
        self._put(self._deflate.flush())
        self._file.write(chunk(b"IEND", b""))

    def _filtered(self, lines: AnyPixels) -> bytes:
        """Each line as differences to its left or upper neighbours, whichever are smaller."""
        left = np.zeros_like(lines)
        left[:, self._pixel_bytes :] = lines[:, : -self._pixel_bytes]
        sub = lines - left
        up = lines - np.concatenate([self._before, lines[:-1]])
        is_up = _cost(up) < _cost(sub)
        out = np.empty((len(lines), lines.shape[1] + 1), np.uint8)
        out[:, 0] = np.where(is_up, _UP, _SUB)
        out[:, 1:] = np.where(is_up[:, None], up, sub)
        return out.tobytes()

    def _put(self, data: bytes) -> None:
        if data:
            self._file.write(chunk(b"IDAT", data))


def _cost(differences: AnyPixels) -> AnyPixels:
    """The size of each line's differences, which as signed values are small."""
    sizes = np.abs(differences.view(np.int8)).view(np.uint8)
    costs: AnyPixels = sizes.sum(1, dtype=np.int64)
    return costs
