"""The directory of a TIFF: where its strips or tiles lie, and a small TIFF of some of them."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, replace
from typing import IO, NamedTuple

_LENGTH_AND_WIDTH = 257, 256
_BITS, _COMPRESSION, _MEANING, _SAMPLES, _PLANAR = 258, 259, 262, 277, 284
_STRIP_OFFSETS, _STRIP_ROWS, _STRIP_COUNTS = 273, 278, 279
_TILE_LENGTH, _TILE_WIDTH, _TILE_OFFSETS, _TILE_COUNTS = 323, 322, 324, 325
_NOT_COMPRESSED, _OLD_JPEG, _YCBCR, _IN_PLANES = 1, 6, 6, 2
# What says how pixels are stored, beside the places of strips and tiles, and what colours mean.
_PIXEL_TAGS = frozenset(
    {256, 258, 259, 262, 266, 277, 284, 292, 293, 301, 317, 318, 319, 320, 332, 333, 334, 336, 338}
    | {339, 340, 341, 347, 512, 513, 529, 530, 531, 532, 34675}
)
# What a channel by itself does not have.
_OF_CHANNELS = (338, 339, 340, 341, 34675)
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}
_SHORT, _LONG, _NUMBERS = 3, 4, {1: "B", 3: "H", 4: "I", 16: "Q"}
_MOST_BYTES = 1 << 28  # of one value; what is larger is no directory of a picture

DIRECTORY_ERRORS = (
    struct.error,
    KeyError,
    IndexError,
    ValueError,
    OverflowError,
    ZeroDivisionError,
)
"""What the functions here raise for a damaged directory."""


class _Entry(NamedTuple):
    kind: int
    values: int
    data: bytes


@dataclass(frozen=True)
class Layout:
    """Where the strips, or tiles, lie."""

    order: str
    """"<" or ">"."""
    tags: dict[int, _Entry]
    rows: int
    """Of the picture."""
    rows_each: int
    across: int
    """Pieces beside each other."""
    planes: int
    pieces: list[tuple[int, int]]
    """Place and bytes of each."""


def read_layout(file: IO[bytes]) -> Layout | None:
    """How a TIFF is cut up; `None` where its parts cannot be decoded alone.

    No piece reaches beyond the end of the file: of a damaged one, it is shorter than the directory
    says.
    """
    file_bytes = file.seek(0, io.SEEK_END)
    file.seek(0)
    order, tags = _directory(file, file_bytes)

    def number(tag: int, default: int) -> int:
        return _numbers(order, tags[tag])[0] if tag in tags else default

    height, width = (number(tag, 0) for tag in _LENGTH_AND_WIDTH)
    compression = number(_COMPRESSION, _NOT_COMPRESSED)
    samples = number(_SAMPLES, 1)
    planes = samples if number(_PLANAR, 1) == _IN_PLANES else 1
    if compression == _OLD_JPEG or height < 1 or width < 1:
        return None
    across = 1
    if _TILE_OFFSETS in tags:
        rows_each = number(_TILE_LENGTH, 0)
        across = -(-width // number(_TILE_WIDTH, 0))
        offsets, counts = _TILE_OFFSETS, _TILE_COUNTS
    else:
        rows_each = min(number(_STRIP_ROWS, height), height)
        offsets, counts = _STRIP_OFFSETS, _STRIP_COUNTS
    places = _numbers(order, tags[offsets])
    pieces = list(zip(places, _numbers(order, tags[counts]), strict=True))
    if compression == _NOT_COMPRESSED and len(pieces) == 1 and _STRIP_OFFSETS in tags:
        if number(_MEANING, 1) == _YCBCR:
            return None
        each = row_bytes(order, tags)
        if pieces[0][1] < each * height or height > file_bytes:
            return None
        rows_each = 1
        pieces = [(places[0] + row * each, each) for row in range(height)]
    if len(pieces) != planes * across * -(-height // rows_each):
        return None
    pieces = [_within(place, count, file_bytes) for place, count in pieces]
    return Layout(order, tags, height, rows_each, across, planes, pieces)


def _within(place: int, count: int, file_bytes: int) -> tuple[int, int]:
    place = min(place, file_bytes)
    return place, min(count, file_bytes - place)


def _directory(file: IO[bytes], file_bytes: int) -> tuple[str, dict[int, _Entry]]:
    """The first directory of a TIFF or BigTIFF. Raises ValueError and others: it is damaged."""
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}[head[:2]]
    is_big = struct.unpack_from(order + "H", head, 2)[0] == 43
    place = struct.unpack_from(order + ("Q" if is_big else "I"), head, 8 if is_big else 4)[0]
    file.seek(min(place, file_bytes))
    count_form, entry_form, inline = ("Q", "HHQ8s", 8) if is_big else ("H", "HHI4s", 4)
    form = struct.Struct(order + entry_form)
    (count,) = struct.unpack(order + count_form, file.read(struct.calcsize(order + count_form)))
    if count > 0xFFFF:
        raise ValueError("the directory is too long")
    table = file.read(count * form.size)
    tags = {}
    for tag, kind, values, data in form.iter_unpack(table):
        size = _SIZES.get(kind, 0) * values
        if size > _MOST_BYTES:
            raise ValueError("a value is too long")
        if size > inline:
            place = struct.unpack(order + ("Q" if is_big else "I"), data)[0]
            if place + size > file_bytes:
                raise ValueError("a value lies beyond the end of the file")
            file.seek(place)
            data = file.read(size)
        tags[tag] = _Entry(kind, values, data[:size])
    return order, tags


def _numbers(order: str, entry: _Entry) -> tuple[int, ...]:
    return struct.unpack(f"{order}{entry.values}{_NUMBERS[entry.kind]}", entry.data)


def row_bytes(order: str, tags: dict[int, _Entry]) -> int:
    """Of all samples that lie beside each other."""
    width = _numbers(order, tags[_LENGTH_AND_WIDTH[1]])[0]
    samples = _numbers(order, tags[_SAMPLES])[0] if _SAMPLES in tags else 1
    bits = _numbers(order, tags[_BITS]) if _BITS in tags else (1,)
    return -(-width * (sum(bits) if len(bits) == samples else bits[0] * samples) // 8)


def small_tiff(layout: Layout, rows: int, pieces: list[bytes]) -> bytes:
    """A plain TIFF of these strips or tiles, whose directory is behind them."""
    order, is_tiled = layout.order, _TILE_OFFSETS in layout.tags
    tags = {tag: entry for tag, entry in layout.tags.items() if tag in _PIXEL_TAGS}
    tags[_LENGTH_AND_WIDTH[0]] = _entry(order, [rows])
    places, data = [], bytearray(8)
    for piece in pieces:
        places.append(len(data))
        data += piece + bytes(len(piece) % 2)
    counts = [len(piece) for piece in pieces]
    if is_tiled:
        tags |= {tag: layout.tags[tag] for tag in (_TILE_WIDTH, _TILE_LENGTH)}
        tags[_TILE_OFFSETS], tags[_TILE_COUNTS] = _entry(order, places), _entry(order, counts)
    else:
        tags[_STRIP_ROWS] = _entry(order, [layout.rows_each])
        tags[_STRIP_OFFSETS], tags[_STRIP_COUNTS] = _entry(order, places), _entry(order, counts)
    table, form = bytearray(), struct.Struct(order + "HHI4s")
    for tag in sorted(tags):
        kind, count, content = tags[tag]
        if kind == 16:  # as BigTIFF has it, which this is not
            kind, content = _LONG, _entry(order, list(_numbers(order, tags[tag]))).data
        if len(content) > 4:
            place = struct.pack(order + "I", len(data))
            data += content + bytes(len(content) % 2)
            content = place
        table += form.pack(tag, kind, count, content)
    mark = b"II" if order == "<" else b"MM"
    data[:8] = mark + struct.pack(order + "HI", 42, len(data))
    return bytes(data) + struct.pack(order + "H", len(tags)) + bytes(table) + bytes(4)


def _entry(order: str, numbers: list[int]) -> _Entry:
    return _Entry(_LONG, len(numbers), struct.pack(f"{order}{len(numbers)}I", *numbers))


def plane_tiffs(layout: Layout, file: IO[bytes]) -> list[bytes]:
    """Each channel of a TIFF that has them one after another, as a TIFF of one channel."""
    each = len(layout.pieces) // layout.planes
    bits = _numbers(layout.order, layout.tags[_BITS])
    made = []
    for plane in range(layout.planes):
        tags = {tag: entry for tag, entry in layout.tags.items() if tag not in _OF_CHANNELS}
        tags[_BITS] = _short(layout.order, bits[min(plane, len(bits) - 1)])
        tags[_SAMPLES] = tags[_PLANAR] = tags[_MEANING] = _short(layout.order, 1)
        pieces = []
        for place, count in layout.pieces[plane * each : (plane + 1) * each]:
            file.seek(place)
            pieces.append(file.read(count))
        made.append(small_tiff(replace(layout, tags=tags), layout.rows, pieces))
    return made


def _short(order: str, number: int) -> _Entry:
    return _Entry(_SHORT, 1, struct.pack(f"{order}H", number))
