"""Checks that the fragments of an MP4 file follow each other: libav goes on behind what is lost."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

from .boxes import Box, boxes, boxes_of_file

_LARGEST_TABLES = 1 << 26
_NAME = re.compile(rb"[A-Za-z0-9_ ]{4}")
"""Names of boxes; readers leave out those that they do not know."""
_LOST = "the file is damaged: a part of its fragments is missing"
_STRANGE = "the file is damaged: between its fragments is something else"
_CUT = "the file is cut short within a fragment"

# Flags that say which fields are there.
_OFFSET, _DESCRIPTION, _DURATION, _SIZE = 0x1, 0x2, 0x8, 0x10
_RUN_OFFSET, _FIRST_FLAGS = 0x1, 0x4
_EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT = 0x100, 0x200, 0x400, 0x800


def fragments_fault(path: Path, moov: bytes, *, has_samples: bool) -> str:
    """What is wrong with the fragments of a file, or "".

    A fragment is a box with tables, moof, and boxes with its samples, mdat, behind it. They must be
    as long as the tables say. Fragments are counted: where the count and the clock of a track jump
    together, some are lost. A file that was cut between two fragments is whole as far as it shows.

    `has_samples`: the tables of `moov` have samples of their own, which lie before the fragments.

    Raises struct.error, IndexError or ValueError for tables that cannot be read, and OSError.
    """
    walk = _Walk(moov, awaits_fragment=not has_samples)
    with path.open("rb") as file:
        total, end = file.seek(0, 2), 0
        for box in boxes_of_file(file):
            if not _NAME.fullmatch(box.name):
                break
            if fault := walk.fault(file, box):
                return fault
            end = box.start + box.size
            if end > total:
                return _CUT
        if not _is_padding(file, end):
            return _STRANGE
    return walk.fault_of_fragment()


class _Walk:
    """Follows the fragments of a file."""

    def __init__(self, moov: bytes, *, awaits_fragment: bool) -> None:
        self._defaults = dict(_defaults(moov))
        self._awaits_fragment = awaits_fragment
        self._number: int | None = None
        self._ends: dict[int, int] = {}
        self._stated = self._found = 0

    def fault(self, file: BinaryIO, box: Box) -> str:
        """Take the next box of the file; what is wrong with it, or ""."""
        if box.name == b"mdat":
            self._found += box.size - box.head
            return _LOST if self._awaits_fragment else ""
        if box.name != b"moof":
            return ""
        fault = self.fault_of_fragment()
        self._awaits_fragment = False
        self._stated = self._found = 0
        file.seek(box.start + box.head)
        if box.size > _LARGEST_TABLES:
            return _STRANGE
        return fault or self._begin(file.read(box.size - box.head))

    def fault_of_fragment(self) -> str:
        """What is wrong with the length of the fragment that has come, or ""."""
        return _LOST if self._number is not None and self._stated != self._found else ""

    def _begin(self, moof: bytes) -> str:
        before, fault = self._number, ""
        for name, body in boxes(moof):
            if name == b"mfhd":
                self._number = struct.unpack_from(">I", body, 4)[0]
        jumps = before is not None and self._number is not None and self._number > before + 1
        for name, body in boxes(moof):
            if name != b"traf":
                continue
            track, begin, duration, size = self._track(body)
            end = self._ends.get(track, 0)
            if jumps and (begin is None or begin > end):
                fault = _LOST
            self._ends[track] = (end if begin is None else begin) + duration
            self._stated += size
        return fault

    def _track(self, traf: bytes) -> tuple[int, int | None, int, int]:
        """A track's number, the time of its first sample, its duration, and its size in bytes."""
        track, begin, duration, size = 0, None, 0, 0
        each_duration = each_size = 0
        for name, body in boxes(traf):
            if name == b"tfhd":
                track, flags, place = _number(body, 4), _flags(body), 8
                place += 8 * bool(flags & _OFFSET) + 4 * bool(flags & _DESCRIPTION)
                each_duration, each_size = self._defaults.get(track, (0, 0))
                if flags & _DURATION:
                    each_duration, place = _number(body, place), place + 4
                if flags & _SIZE:
                    each_size = _number(body, place)
            elif name == b"tfdt":
                begin = struct.unpack_from(">Q" if body[0] else ">I", body, 4)[0]
            elif name == b"trun":
                more_duration, more_size = _run(body, each_duration, each_size)
                duration += more_duration
                size += more_size
        return track, begin, duration, size


def _run(body: bytes, each_duration: int, each_size: int) -> tuple[int, int]:
    """The duration and the size of a run of samples."""
    flags, count = _flags(body), _number(body, 4)
    place = 8 + 4 * bool(flags & _RUN_OFFSET) + 4 * bool(flags & _FIRST_FLAGS)
    fields = [
        flag for flag in (_EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT) if flags & flag
    ]
    values = struct.unpack_from(f">{count * len(fields)}I", body, place)
    duration, size = count * each_duration, count * each_size
    if flags & _EACH_DURATION:
        duration = sum(values[fields.index(_EACH_DURATION) :: len(fields)])
    if flags & _EACH_SIZE:
        size = sum(values[fields.index(_EACH_SIZE) :: len(fields)])
    return duration, size


def _defaults(moov: bytes) -> list[tuple[int, tuple[int, int]]]:
    """The duration and the size of samples for which nothing is stated, for each track."""
    return [
        (_number(body, 4), (_number(body, 12), _number(body, 16)))
        for name, extends in boxes(moov)
        if name == b"mvex"
        for kind, body in boxes(extends)
        if kind == b"trex"
    ]


def _number(body: bytes, place: int) -> int:
    value: int = struct.unpack_from(">I", body, place)[0]
    return value


def _flags(body: bytes) -> int:
    return int.from_bytes(body[1:4])


def _is_padding(file: BinaryIO, start: int) -> bool:
    """Whether nothing but zeros follows."""
    file.seek(start)
    while part := file.read(1 << 20):
        if any(part):
            return False
    return True
