"""Checks that a Matroska file is complete: libav skips what it cannot make sense of."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from mmap import ACCESS_READ, mmap
from pathlib import Path

from ..clip.ebml import (
    CLUSTER,
    CRC,
    EBML,
    SEGMENT,
    TRACK,
    TRACKS,
    VOID,
    Element,
    element_at,
    elements,
)

_TRACK_NUMBER = 0xD7
_SIMPLE_BLOCK, _BLOCK_GROUP, _BLOCK = 0xA3, 0xA0, 0xA1
# SeekHead, Info, Cues, Tags, Chapters and Attachments.
_TOP = {0x114D9B74, 0x1549A966, TRACKS, CLUSTER, 0x1C53BB6B, 0x1254C367, 0x1043A770, 0x1941A469}
# Timestamp, SilentTracks, Position, PrevSize and EncryptedBlock.
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, _SIMPLE_BLOCK, _BLOCK_GROUP, 0xAF, CRC, VOID}
# What there was and is: additions, duration, priority, references, codec state, padding, slices.
_IN_GROUP = {_BLOCK, 0x75A1, 0x9B, 0xFA, 0xFB, 0xFD, 0xA4, 0x75A2, 0x8E, 0xA2, 0xC8, CRC, VOID}
_DAMAGED = "the file is damaged"


def matroska_fault(path: Path) -> str:
    """Go through all elements of a file, check the checksums that it has, and say what is wrong.

    Returns "" for a sound file. Blocks are not read, only their places.
    """
    if path.stat().st_size == 0:
        return _DAMAGED
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        try:
            return _fault(data)
        except ValueError:
            return "the file is damaged or cut short"


def _fault(data: mmap) -> str:
    total = len(data)
    head = element_at(data, 0, total)
    segment = element_at(data, head.end, total)
    while segment.id == VOID:
        segment = element_at(data, segment.end, total)
    if head.id != EBML or segment.id != SEGMENT:
        return _DAMAGED
    tracks: set[int] = set()
    has_clusters = False
    for element in _top_level(data, segment):
        if element.id not in _TOP and element.id not in (CRC, VOID):
            return _DAMAGED
        if not element.is_open and element.id != VOID and not _has_its_checksum(data, element):
            return "the file is damaged: a checksum is wrong"
        if element.id == TRACKS:
            tracks |= set(_track_numbers(data, element))
        elif element.id == CLUSTER:
            has_clusters = True
            if not _is_sound_cluster(data, element, tracks):
                return _DAMAGED
    if not has_clusters:
        return _DAMAGED
    behind = total - segment.end
    return f"{behind} bytes of something else are behind its end; cut them off" if behind else ""


def _top_level(data: mmap, segment: Element) -> Iterator[Element]:
    """The children of the segment; one of unknown size ends where the next begins."""
    start = segment.body
    while start < segment.end:
        element = element_at(data, start, segment.end)
        if element.is_open and element.id == CLUSTER:
            element = element._replace(end=_end_of_open(data, element))
        yield element
        start = element.end


def _end_of_open(data: mmap, cluster: Element) -> int:
    start = cluster.body
    while start < cluster.end:
        child = element_at(data, start, cluster.end)
        if child.id in _TOP:
            return start
        start = child.end
    return start


def _has_its_checksum(data: mmap, element: Element) -> bool:
    """Whether the content is what its checksum says, if it has one."""
    if element.end - element.body < 6 or data[element.body] != CRC:
        return True
    checksum = element_at(data, element.body, element.end)
    if checksum.end - checksum.body != 4:
        return False
    stated = int.from_bytes(data[checksum.body : checksum.end], "little")
    with memoryview(data) as whole, whole[checksum.end : element.end] as content:
        return zlib.crc32(content) == stated


def _track_numbers(data: mmap, tracks: Element) -> Iterator[int]:
    for track in elements(data, tracks.body, tracks.end):
        if track.id == TRACK:
            for child in elements(data, track.body, track.end):
                if child.id == _TRACK_NUMBER:
                    yield int.from_bytes(data[child.body : child.end])


def _is_sound_cluster(data: mmap, cluster: Element, tracks: set[int]) -> bool:
    for child in elements(data, cluster.body, cluster.end):
        if child.id not in _IN_CLUSTER:
            return False
        if child.id == _SIMPLE_BLOCK and not _is_of_track(data, child, tracks):
            return False
        if child.id == _BLOCK_GROUP:
            for part in elements(data, child.body, child.end):
                if part.id not in _IN_GROUP:
                    return False
                if part.id == _BLOCK and not _is_of_track(data, part, tracks):
                    return False
    return True


def _is_of_track(data: mmap, block: Element, tracks: set[int]) -> bool:
    """Whether a block names a track that there is; 4 bytes are its head."""
    if block.end - block.body < 4:
        return False
    first = data[block.body]
    wide = 9 - first.bit_length()
    if wide > 4:
        return False
    number = int.from_bytes(data[block.body : block.body + wide]) - (1 << 7 * wide)
    return number in tracks
