"""The shape of the pixels in a Matroska file, which PyAV cannot pass to libav's muxer."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from ..clip.ebml import CLUSTER, CRC, TRACK, TRACKS, VIDEO, VOID, element_at, elements

_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
_STEREO_MODE = 0x53B8
_REPLACED = (_DISPLAY_WIDTH, _DISPLAY_HEIGHT, _DISPLAY_UNIT, _STEREO_MODE)

_LARGEST = 0xFFFF

PLACEHOLDERS = {"stereo_mode": "left_right"}
"""Metadata of the video stream for which libav writes a display size and more, whose bytes
`write_shape` needs."""


def display_size(width_px: int, height_px: int, aspect: Fraction) -> tuple[int, int]:
    """A size, at most 65535, whose sides are to each other as those of the picture when shown."""
    width, height = width_px * aspect, height_px / aspect
    if width.denominator == 1:
        size = int(width), height_px
    elif height.denominator == 1:
        size = width_px, int(height)
    else:
        shown = width / height_px
        size = shown.numerator, shown.denominator
    largest = max(size)
    if largest > _LARGEST:
        size = tuple(max(1, round(side * _LARGEST / largest)) for side in size)  # type: ignore[assignment]
    return size


def write_shape(path: Path, size: tuple[int, int]) -> None:
    """Write the display size into a file that was made with the `PLACEHOLDERS`.

    Raises:
        ValueError: it is no such file.
    """
    with path.open("r+b") as file:
        places = dict(_top_level(file))
        tracks = bytearray(_read(file, places[TRACKS]))
        _change_tracks(tracks, size)
        _put(file, places[TRACKS], tracks)


def _change_tracks(tracks: bytearray, size: tuple[int, int]) -> None:
    for track in elements(tracks, 0, len(tracks)):
        if track.id != TRACK:
            continue
        for video in elements(tracks, track.body, track.end):
            if video.id != VIDEO:
                continue
            kept = b"".join(
                tracks[child.start : child.end]
                for child in elements(tracks, video.body, video.end)
                if child.id not in _REPLACED
            )
            kept += _number(_DISPLAY_WIDTH, size[0]) + _number(_DISPLAY_HEIGHT, size[1])
            room = video.end - video.body - len(kept)
            if room == 1 or room < 0:
                raise ValueError("the file has no room for the shape of its pixels")
            tracks[video.body : video.end] = kept + (_void(room) if room else b"")
            return
    raise ValueError("the file has no video track")


def _top_level(file: BinaryIO) -> Iterator[tuple[int, tuple[int, int]]]:
    """The elements before the first cluster, with their places in the file."""
    head = file.read(1 << 20)
    size = file.seek(0, 2)
    segment = element_at(head, element_at(head, 0, size).end, size)
    for element in elements(head, segment.body, segment.end):
        if element.id == CLUSTER:
            return
        yield element.id, (element.body, element.end)


def _read(file: BinaryIO, place: tuple[int, int]) -> bytes:
    file.seek(place[0])
    return file.read(place[1] - place[0])


def _put(file: BinaryIO, place: tuple[int, int], data: bytearray) -> None:
    """Write the content of an element, with a new checksum."""
    first = next(elements(data, 0, len(data)))
    if first.id == CRC:
        data[first.body : first.end] = zlib.crc32(data[first.end :]).to_bytes(4, "little")
    file.seek(place[0])
    file.write(data)


def _number(name: int, value: int) -> bytes:
    content = value.to_bytes(max(1, (value.bit_length() + 7) // 8))
    return name.to_bytes(2) + bytes([0x80 | len(content)]) + content


def _void(length: int) -> bytes:
    """An element of `length` bytes that says nothing, at least 2 and less than 128."""
    return bytes([VOID, 0x80 | (length - 2)]) + bytes(length - 2)
