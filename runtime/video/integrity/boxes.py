"""The boxes that MP4 and MOV files are made of (ISO/IEC 14496-12, 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple


class Box(NamedTuple):
    """A box of a file; its content may go on beyond the end of the file."""

    name: bytes
    start: int
    """Where it begins, in bytes."""
    head: int
    """How long its head is, in bytes."""
    size: int
    """How long it is as a whole, in bytes."""


def boxes_of_file(file: BinaryIO) -> Iterator[Box]:
    """The boxes at the top of a file, up to one that cannot be.

    Raises struct.error for a file that ends within the head of a box, and OSError.
    """
    total = file.seek(0, 2)
    start = 0
    while start + 8 <= total:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        elif size == 0:
            size = total - start
        if size < head:
            return
        yield Box(name, start, head, size)
        start += size


def boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of the boxes in another one.

    Raises ValueError: one is longer than that.
    """
    start = 0
    while start + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, start)
        if size == 0 and name == b"\0\0\0\0":  # QuickTime ends a list so
            return
        if size < 8 or start + size > len(data):
            raise ValueError("a box is longer than the one around it")
        yield name, data[start + 8 : start + size]
        start += size
