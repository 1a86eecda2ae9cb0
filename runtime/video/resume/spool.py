"""The frames of a segment that is not complete yet, on the disk.

An encoder holds frames back, so an unfinished segment cannot be kept as packets. Upscaling costs
much more than encoding: the pictures themselves are kept, uncompressed, and are encoded again when
the run goes on. The file is a list of records, each a picture behind its length and its checksum.
What an interrupted run, a killed process or a power failure left incomplete does not match its
checksum, and is cut off.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from time import monotonic
from typing import BinaryIO

import av

_FLUSH_SECONDS = 5.0
"""What was written earlier than that is on the disk, not in the system's memory alone."""

_RECORD = struct.Struct("<4sIQ")  # mark, crc32 of what follows, its length in bytes
_TIMES = struct.Struct("<qqB")  # pts, duration, number of planes
_PLANE = struct.Struct("<II")  # bytes of a line, lines
_MARK = b"FLSP"


@dataclass(frozen=True)
class _Record:
    offset: int
    pts: int
    duration: int


class Spool:
    """Pictures of one pixel format and size, in the order in which they are shown.

    The file appears with the first picture. Used from one thread at a time.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._flushed = monotonic()
        self._found = list(_scan(path))

    @property
    def pts(self) -> list[int]:
        """The times of the pictures that an earlier run left."""
        return [record.pts for record in self._found]

    def pictures(self, pixel_format: str, size_px: tuple[int, int]) -> Iterator[av.VideoFrame]:
        """The pictures that an earlier run left, with their time and duration.

        Their colour is not stored: the caller sets it.
        """
        if not self._found:
            return
        with self._path.open("rb") as stream:
            for record in self._found:
                stream.seek(record.offset)
                body = _body(stream)
                assert body is not None
                picture = av.VideoFrame(*size_px, pixel_format)
                picture.pts, picture.duration = record.pts, record.duration
                _fill(picture, memoryview(body))
                yield picture

    def add(self, picture: av.VideoFrame) -> None:
        """Append a picture that has a time and a duration. Raises OSError."""
        head = _TIMES.pack(picture.pts, picture.duration, len(picture.planes))
        head += b"".join(_PLANE.pack(plane.line_size, plane.height) for plane in picture.planes)
        planes = [memoryview(plane) for plane in picture.planes]
        checksum = zlib.crc32(head)
        for plane in planes:
            checksum = zlib.crc32(plane, checksum)
        length = len(head) + sum(plane.nbytes for plane in planes)
        # Opened for each picture: no thread that is left behind has it open.
        with self._path.open("ab", buffering=0) as stream:
            for part in (memoryview(_RECORD.pack(_MARK, checksum, length) + head), *planes):
                _write_all(stream, part)
            if monotonic() - self._flushed > _FLUSH_SECONDS:
                os.fsync(stream.fileno())
                self._flushed = monotonic()

    def remove(self) -> None:
        """Remove the file: its segment is complete, or it cannot be kept."""
        self._found = []
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)


def picture_bytes(picture: av.VideoFrame) -> int:
    """How much of a spool a picture takes."""
    return sum(plane.buffer_size for plane in picture.planes)


def _scan(path: Path) -> Iterator[_Record]:
    """The sound records, from the first on; what follows them is cut off."""
    if not path.exists():
        return
    with path.open("r+b") as stream:
        end = 0
        while (body := _body(stream)) is not None:
            pts, duration, _ = _TIMES.unpack_from(body)
            yield _Record(end, pts, duration)
            end = stream.tell()
        stream.truncate(end)


def _body(stream: BinaryIO) -> bytes | None:
    """The content of the next record; `None` if there is no sound one."""
    head = stream.read(_RECORD.size)
    if len(head) < _RECORD.size:
        return None
    mark, checksum, length = _RECORD.unpack(head)
    here = stream.tell()
    if mark != _MARK or length > os.fstat(stream.fileno()).st_size - here:
        return None
    body = stream.read(length)
    return body if zlib.crc32(body) == checksum else None


def _fill(picture: av.VideoFrame, body: memoryview) -> None:
    """Copy the planes of a record, whose lines may be padded to another length."""
    _, _, count = _TIMES.unpack_from(body)
    position = _TIMES.size + count * _PLANE.size
    for number, plane in enumerate(picture.planes):
        line, lines = _PLANE.unpack_from(body, _TIMES.size + number * _PLANE.size)
        target = memoryview(plane).cast("B")
        if line == plane.line_size:
            target[: line * lines] = body[position : position + line * lines]
        else:
            width = min(line, plane.line_size)
            for row in range(lines):
                start, place = position + row * line, row * plane.line_size
                target[place : place + width] = body[start : start + width]
        position += line * lines


def _write_all(stream: FileIO, part: memoryview) -> None:
    """An unbuffered file may take less than it is given."""
    while part.nbytes:
        part = part[stream.write(part) :]
