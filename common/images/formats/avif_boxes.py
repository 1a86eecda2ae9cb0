"""Boxes of an AVIF file that say how its pixels are stored; nothing is decoded.

Their forms are those of ISO/IEC 14496-12 and 23008-12, and of AV1's bindings to them.
"""

from __future__ import annotations

from collections.abc import Iterator

_WAY = (b"meta", b"iprp", b"ipco")
_FULL_BOX = 4  # bytes before the boxes inside `meta`
_SEQUENCE = b"\x12\x00\x0a"  # a temporal delimiter and the type of a sequence header with its size
_HIGH_BIT_DEPTH, _TWELVE_BIT = 0x40, 0x20


def bits_per_channel(data: bytes) -> int:
    """8, 10 or 12; 8 if the file does not say."""
    found = [8]
    for kind, start, end in _properties(data):
        if kind == b"av1C" and end - start >= 4:
            flags = data[start + 2]
            high = 12 if flags & _TWELVE_BIT else 10
            found.append(high if flags & _HIGH_BIT_DEPTH else 8)
    return max(found)


def colours(data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of the colours in numbers of ITU-T H.273, or None."""
    place = _nclx(data)
    if place is None:
        return None
    primaries, transfer = data[place : place + 2], data[place + 2 : place + 4]
    return int.from_bytes(primaries, "big"), int.from_bytes(transfer, "big")


def with_colours(data: bytes, primaries: int, transfer: int) -> bytes:
    """The file with other primaries and transfer, in its box and in the coded picture; its matrix
    and pixels stay as they are.
    """
    place, before = _nclx(data), colours(data)
    if place is None or before is None:
        return data
    stated = primaries.to_bytes(2, "big") + transfer.to_bytes(2, "big")
    boxed = data[:place] + stated + data[place + 4 :]
    matrix = int.from_bytes(data[place + 4 : place + 6], "big")
    return _with_coded_colours(
        boxed, bytes([*before, matrix]), bytes([primaries, transfer, matrix])
    )


def _with_coded_colours(data: bytes, before: bytes, after: bytes) -> bytes:
    """The same with three other bytes in AV1's sequence headers, where they lie at any bit."""
    at = data.find(_SEQUENCE)
    while at >= 0:
        start = at + len(_SEQUENCE) + 1  # behind the size, which is below 128
        end = start + data[start - 1]
        header = int.from_bytes(data[start:end], "big")
        for shift in range(8 * (end - start) - 24, -1, -1):
            if header >> shift & 0xFFFFFF == int.from_bytes(before, "big"):
                header ^= (int.from_bytes(before, "big") ^ int.from_bytes(after, "big")) << shift
                data = data[:start] + header.to_bytes(end - start, "big") + data[end:]
                break
        at = data.find(_SEQUENCE, end)
    return data


def _nclx(data: bytes) -> int | None:
    """Where the three numbers begin."""
    for kind, start, end in _properties(data):
        if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 11:
            return start + 4
    return None


def _properties(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    start, end = 0, len(data)
    for name in _WAY:
        inner = next((box for box in boxes(data, start, end) if box[0] == name), None)
        if inner is None:
            return
        _, start, end = inner
        start += _FULL_BOX if name == b"meta" else 0
    yield from boxes(data, start, end)


def boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of what is inside each box between two places."""
    while start + 8 <= end:
        size, kind = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8]
        inside = start + 8
        if size == 1:
            size, inside = int.from_bytes(data[inside : inside + 8], "big"), inside + 8
        stop = end if size == 0 else start + size
        if not inside <= stop <= end:
            return
        yield kind, inside, stop
        start = stop
