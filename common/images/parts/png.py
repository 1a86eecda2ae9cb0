"""The rows of a PNG as small PNGs.

The stream of pixels is inflated piece by piece. What each row lacks is the row above it, from
which it is a difference: a small PNG whose first row is that one, and whose kind of pixels has as
many bytes as the original's, gives the bytes of the rows behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import InputError
from ..content.picture import AnyPixels
from ..content.png_chunks import SIGNATURE, chunk
from ..decoding import decode_by_opencv
from ..opening import DAMAGED

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
# Bits and colour type of pixels that OpenCV gives byte by byte, by their bytes.
_AS_BYTES = {1: (8, 0), 2: (16, 0), 3: (8, 2), 4: (8, 6), 6: (16, 2), 8: (16, 6)}
_MEANING = (b"PLTE", b"tRNS")  # chunks without which pixels cannot be decoded
_PIECE_BYTES = 1 << 18


@dataclass(frozen=True)
class PngParts:
    """Each iteration reads the file from its start, and yields small PNGs from top to bottom.

    Raises InputError meanwhile: its pixels are damaged or end too soon.
    """

    path: Path
    width: int
    height: int
    bits: int
    colour_type: int
    meaning: tuple[tuple[bytes, bytes], ...]
    part_bytes: int

    @classmethod
    def of(cls, path: Path, chunks: list[tuple[bytes, bytes]], part_bytes: int) -> PngParts | None:
        """The parts of a PNG with these chunks; `None` if it is interlaced."""
        header = dict(chunks).get(b"IHDR", b"")
        if len(header) != 13:
            return None
        width, height, bits, colour_type, _, _, interlace = struct.unpack(">IIBBBBB", header)
        if interlace or colour_type not in _SAMPLES:
            return None
        meaning = tuple(entry for entry in chunks if entry[0] in _MEANING)
        return cls(path, width, height, bits, colour_type, meaning, part_bytes)

    @property
    def part_rows(self) -> int:
        """The most rows of a part."""
        return min(max(1, self.part_bytes // (self._row_bytes + 1)), self.height)

    def __iter__(self) -> Iterator[bytes]:
        """The small PNGs."""
        before = np.zeros(self._row_bytes, np.uint8)
        with self.path.open("rb") as file:
            for filtered in self._filtered(file):
                rows = self._unfiltered(before, filtered)
                before = rows[-1]
                plain = np.zeros((len(rows), self._row_bytes + 1), np.uint8)
                plain[:, 1:] = rows
                size = self.width, len(rows)
                yield _png(*size, self.bits, self.colour_type, self.meaning, plain)

    @property
    def _row_bytes(self) -> int:
        return -(-self.width * self.bits * _SAMPLES[self.colour_type] // 8)

    def _filtered(self, file: IO[bytes]) -> Iterator[AnyPixels]:
        """Some rows at a time as they are stored, the kind of the difference before each."""
        stride = self._row_bytes + 1
        wanted = max(1, self.part_bytes // stride) * stride
        missing = self.height * stride
        waiting = bytearray()
        inflate = zlib.decompressobj()
        try:
            for piece in _pixel_data(file):
                rest = piece
                while rest and len(waiting) < missing:
                    waiting += inflate.decompress(rest, wanted)
                    rest = inflate.unconsumed_tail
                    while len(waiting) >= min(wanted, missing) > 0:
                        count = min(wanted, missing)
                        yield np.frombuffer(bytes(waiting[:count]), np.uint8).reshape(-1, stride)
                        del waiting[:count]
                        missing -= count
        except (zlib.error, ValueError) as error:
            raise InputError(f"{self.path}: {DAMAGED}") from error

    def _unfiltered(self, before: AnyPixels, filtered: AnyPixels) -> AnyPixels:
        """The bytes of rows, of which the one above the first is known."""
        pixel_bytes = max(1, self.bits * _SAMPLES[self.colour_type] // 8)
        first = np.concatenate([np.zeros(1, np.uint8), before])[None]
        rows = np.concatenate([first, filtered])
        bits, colour_type = _AS_BYTES[pixel_bytes]
        size = self._row_bytes // pixel_bytes, len(rows)
        pixels, _ = decode_by_opencv(_png(*size, bits, colour_type, (), rows))
        if pixels is None:
            raise InputError(f"{self.path}: {DAMAGED}")
        if pixels.ndim == 3:
            pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
        if bits == 16:
            pixels = pixels.astype(">u2")
        return np.ascontiguousarray(pixels[1:]).view(np.uint8).reshape(len(filtered), -1)


def _pixel_data(file: IO[bytes]) -> Iterator[bytes]:
    """The data of all IDAT chunks. Raises ValueError: its checksum is wrong, or it ends."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            return
        if kind != b"IDAT":
            file.seek(length + 4, 1)
            continue
        checksum = zlib.crc32(kind)
        while length:
            piece = file.read(min(length, _PIECE_BYTES))
            if not piece:
                raise ValueError("it ends within its pixels")
            checksum = zlib.crc32(piece, checksum)
            length -= len(piece)
            yield piece
        if file.read(4) != struct.pack(">I", checksum):
            raise ValueError("a checksum is wrong")


def _png(
    width: int,
    height: int,
    bits: int,
    colour_type: int,
    meaning: tuple[tuple[bytes, bytes], ...],
    rows: AnyPixels,
) -> bytes:
    """A PNG whose rows are as they are to be stored; not compressed."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 0)
    chunks = [(b"IHDR", header), *meaning, (b"IDAT", data), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(kind, content) for kind, content in chunks)
