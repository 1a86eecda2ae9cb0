"""TIFF files written strip by strip, so that a picture larger than the memory can be.

libtiff, as Pillow calls it, takes whole pictures and no directory of EXIF; Pillow's own directories
are used here.
"""

from __future__ import annotations

import struct
import zlib
from typing import IO, TYPE_CHECKING

import numpy as np

from ..content.metadata import EXIF_IFD, GPS_IFD, IPTC_TAG, XMP_TAG, parsed
from ..content.picture import AnyPixels, Metadata

if TYPE_CHECKING:
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _MEANING, _OFFSETS = 256, 257, 258, 259, 262, 273
_SAMPLES, _ROWS, _COUNTS, _PREDICTOR, _EXTRA, _PROFILE = 277, 278, 279, 317, 338, 34675
_DEFLATE, _DIFFERENCES, _STRAIGHT_ALPHA = 8, 2, 2
_LEVEL = 2
_BIG_BYTES = 3_900_000_000  # of pixels; plain TIFF counts to 4 GiB
_STRIP_BYTES = 1 << 20
_UNDEFINED, _BYTE, _SHORT, _LONG, _LONG8 = 7, 1, 3, 4, 16


class TiffWriter:
    """One TIFF of a size that is known before; BigTIFF if it may become larger than 4 GiB.

    The lines are uint8 or, of a `depth` of 16 bits, uint16: n×W (grey) or n×W×C with 2 (grey,
    alpha), 3 (RGB) or 4 (RGBA) channels; the alpha is straight.
    """

    def __init__(
        self,
        file: IO[bytes],
        width: int,
        height: int,
        channels: int,
        metadata: Metadata,
        icc_profile: bytes | None,
        *,
        depth: int = 8,
        is_big: bool | None = None,
    ) -> None:
        """`is_big` chooses BigTIFF or not; None goes by the size."""
        self._file = file
        self._shape = height, width, channels
        self._depth = depth
        line_bytes = width * channels * depth // 8
        self._metadata, self._profile = metadata, icc_profile
        self._is_big = height * line_bytes > _BIG_BYTES if is_big is None else is_big
        self._rows = max(1, _STRIP_BYTES // line_bytes)
        self._waiting = np.empty((0, width * channels), "<u2" if depth == 16 else np.uint8)
        self._strips: list[tuple[int, int]] = []
        file.write(self._header(0))

    def write(self, lines: AnyPixels) -> None:
        """Add lines at the bottom."""
        flat = lines.reshape(len(lines), -1).astype(self._waiting.dtype, copy=False)
        if len(self._waiting):
            flat = np.concatenate([self._waiting, flat])
        whole = len(flat) // self._rows * self._rows
        for start in range(0, whole, self._rows):
            self._put(flat[start : start + self._rows])
        self._waiting = flat[whole:].copy()

    def close(self) -> None:
        """Write the directory, after the last line."""
        if len(self._waiting):
            self._put(self._waiting)
        start = self._file.tell()
        if start % 2:
            self._file.write(b"\0")
            start += 1
        self._file.write(self._with_offsets(self._directory().tobytes(start), start))
        self._file.seek(0)
        self._file.write(self._header(start))

    def _put(self, lines: AnyPixels) -> None:
        channels = self._shape[2]
        differences = np.ascontiguousarray(lines).copy()
        differences[:, channels:] -= lines[:, :-channels]
        data = zlib.compress(differences.tobytes(), _LEVEL)
        self._strips.append((self._file.tell(), len(data)))
        self._file.write(data)

    def _header(self, directory: int) -> bytes:
        if self._is_big:
            return b"II" + struct.pack("<HHHQ", 43, 8, 0, directory)
        return b"II" + struct.pack("<HI", 42, directory)

    def _directory(self) -> ImageFileDirectory_v2:
        from PIL.TiffImagePlugin import ImageFileDirectory_v2

        tags = ImageFileDirectory_v2(self._header(0))
        height, width, channels = self._shape

        def put(tag: int, kind: int, value: object) -> None:
            tags.tagtype[tag] = kind
            tags[tag] = value

        if self._metadata.exif is not None:
            block = parsed(self._metadata.exif)
            for tag in block:
                is_directory = tag in (EXIF_IFD, GPS_IFD)
                tags[tag] = dict(block.get_ifd(tag)) if is_directory else block[tag]
        put(_WIDTH, _LONG, width)
        put(_HEIGHT, _LONG, height)
        put(_BITS, _SHORT, (self._depth,) * channels)
        put(_COMPRESSION, _SHORT, _DEFLATE)
        put(_MEANING, _SHORT, 1 if channels < 3 else 2)
        # Filled in later: Pillow would move what is written here.
        put(_OFFSETS, _LONG8 if self._is_big else _LONG, (0,) * len(self._strips))
        put(_SAMPLES, _SHORT, channels)
        put(_ROWS, _LONG, self._rows)
        put(_COUNTS, _LONG, tuple(count for _, count in self._strips))
        put(_PREDICTOR, _SHORT, _DIFFERENCES)
        if channels in (2, 4):
            put(_EXTRA, _SHORT, _STRAIGHT_ALPHA)
        if self._metadata.dpi is not None:
            tags[282], tags[283], tags[296] = *self._metadata.dpi, 2
        if self._metadata.xmp is not None:
            put(XMP_TAG, _BYTE, self._metadata.xmp)
        if self._metadata.iptc is not None:
            put(IPTC_TAG, _UNDEFINED, self._metadata.iptc)
        if self._profile is not None:
            put(_PROFILE, _UNDEFINED, self._profile)
        return tags

    def _with_offsets(self, directory: bytes, start: int) -> bytes:
        """The directory at `start`, with the places of the strips filled in."""
        offsets = np.array([place for place, _ in self._strips], "<u8" if self._is_big else "<u4")
        head, entry, value = (8, 20, 12) if self._is_big else (2, 12, 8)
        place = head
        while struct.unpack_from("<H", directory, place)[0] != _OFFSETS:
            place += entry
        place += value
        if len(offsets) > 1:
            place = struct.unpack_from("<Q" if self._is_big else "<I", directory, place)[0] - start
        data = offsets.tobytes()
        return directory[:place] + data + directory[place + len(data) :]
