"""The blocks that a GIF is made of: readers skip what they do not know, and the frames in it."""

from __future__ import annotations

from mmap import mmap

_HEADER_BYTES, _COLOUR_BYTES = 13, 3
_EXTENSION, _IMAGE, _END = 0x21, 0x2C, 0x3B
_IMAGE_BYTES = 9
_LAST_BYTES = b"\0;"
"""The empty part behind the last image, and the end mark."""
_CUT_SHORT = "the file is cut short: the end mark of a GIF is missing"
_DAMAGED = "the file is damaged: it has something else between the blocks of a GIF"


def gif_fault(data: bytes | mmap) -> str:
    """What is wrong with the blocks of a GIF, as a clause, or "".

    Zeros between them do no harm, nor does what other programs put behind the end. The compressed
    pixels are not looked at.
    Source: the GIF89a specification.
    """
    with memoryview(data) as view:
        try:
            return _fault(view)
        except IndexError:
            return _CUT_SHORT


def _fault(view: memoryview) -> str:
    place = _HEADER_BYTES + _table_bytes(view[10])
    while True:
        kind = view[place]
        place += 1
        if kind == _END:
            return _DAMAGED if _is_rest_of_gif(view[place:]) else ""
        if kind == _EXTENSION:
            place = _behind_parts(view, place + 1)
        elif kind == _IMAGE:
            table = _table_bytes(view[place + _IMAGE_BYTES - 1])
            place = _behind_parts(view, place + _IMAGE_BYTES + table + 1)
        elif kind:
            return _DAMAGED


def _is_rest_of_gif(view: memoryview) -> bool:
    """Whether what is behind an end mark ends as a GIF does, so that the mark is a damaged byte."""
    return bytes(view).rstrip(b"\0").endswith(_LAST_BYTES)


def _table_bytes(flags: int) -> int:
    """How long the table of colours is, if these flags say that there is one."""
    return _COLOUR_BYTES * (2 << (flags & 7)) if flags & 0x80 else 0


def _behind_parts(view: memoryview, place: int) -> int:
    """Where the parts that begin at `place` end; the last one is empty."""
    while length := view[place]:
        place += 1 + length
    return place + 1
