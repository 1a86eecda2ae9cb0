"""The elements that Matroska files consist of."""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

Bytes = bytes | bytearray | mmap

# https://www.rfc-editor.org/rfc/rfc9559.html
EBML, SEGMENT, CLUSTER, TRACKS, TRACK, VIDEO = (
    0x1A45DFA3,
    0x18538067,
    0x1F43B675,
    0x1654AE6B,
    0xAE,
    0xE0,
)
CRC, VOID = 0xBF, 0xEC


class Element(NamedTuple):
    """An element and its place: `body` is where its content begins, `end` is behind it."""

    id: int
    start: int
    body: int
    end: int
    is_open: bool = False
    """It does not state its size, as in a live stream; `end` is that of what it lies in."""


def element_at(data: Bytes, start: int, end: int) -> Element:
    """The element at `start`, which must end at `end` or before.

    Raises:
        ValueError: there is none.
    """
    try:
        length = 9 - data[start].bit_length()
        at = start + length
        wide = 9 - data[at].bit_length()
        body = at + wide
        size = int.from_bytes(data[at:body]) - (1 << 7 * wide)
    except IndexError as error:
        raise ValueError("the data end within an element") from error
    if length > 4 or wide > 8 or body > end:
        raise ValueError("there is no element")
    name = int.from_bytes(data[start:at])
    if size == (1 << 7 * wide) - 1:
        return Element(name, start, body, end, is_open=True)
    if body + size > end:
        raise ValueError("an element is longer than the one around it")
    return Element(name, start, body, body + size)


def elements(data: Bytes, start: int, end: int) -> Iterator[Element]:
    """The elements between two places.

    Raises:
        ValueError: there is something else.
    """
    while start < end:
        element = element_at(data, start, end)
        yield element
        start = element.end
