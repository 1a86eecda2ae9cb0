"""The chunks of PNG files that are not pixels."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR = (b"cICP", b"mDCV", b"cLLI", b"iCCP", b"sRGB", b"gAMA", b"cHRM")
TEXT = (b"tEXt", b"zTXt", b"iTXt")
_LARGEST_BYTES = 16 << 20  # what is larger is no text


def read_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk that is small and not pixels, as (kind, data), up to the end that is marked.

    Nothing but (b"IEND", b"") shows that a file is whole: anything may come after it.
    """
    if file.read(8) != SIGNATURE:
        return
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"IEND":
            yield kind, b""
            return
        if kind in (b"IDAT", b"fdAT") or length > _LARGEST_BYTES:
            file.seek(length + 4, 1)
            continue
        data = file.read(length)
        if len(data) == length and len(file.read(4)) == 4:
            yield kind, data


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk as it is written."""
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def text_key(data: bytes) -> bytes:
    """The keyword of a text chunk."""
    return data.partition(b"\0")[0]


def iptc_text(iptc: bytes) -> tuple[bytes, bytes]:
    """A text chunk with IPTC records, in the form that ImageMagick and ExifTool read."""
    digits = re.sub(r"(.{1,72})", r"\1\n", iptc.hex())
    profile = f"\niptc\n{len(iptc):8}\n{digits}".encode()
    return b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(profile)


def iptc_of_text(data: bytes) -> bytes | None:
    """The records of such a chunk; `None` if it is none."""
    try:
        lines = zlib.decompressobj().decompress(data.partition(b"\0")[2][1:], _LARGEST_BYTES)
        records = bytes.fromhex(lines.split(b"\n", 3)[3].decode("ascii"))
    except (zlib.error, IndexError, ValueError):
        return None
    return _records(records)


def _records(data: bytes) -> bytes | None:
    """IPTC records alone, out of the Photoshop block in which some programs wrap them."""
    if data.startswith(b"8BIM"):
        place = data.find(b"8BIM\x04\x04")
        if place < 0:
            return None
        length = struct.unpack_from(">I", data, place + 8)[0] if len(data) >= place + 12 else 0
        return data[place + 12 : place + 12 + length] or None
    return data
