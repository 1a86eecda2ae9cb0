"""A pipe as a file object that FFmpeg can read without ever hanging."""

from __future__ import annotations

import os
import select
import struct
import sys
import tempfile
from typing import BinaryIO

import av

from ....common.closing import Closing
from ....common.errors import InputError
from ....common.libraries.pyav import open_to_read
from ....common.notes import Say
from ..targets.address import STANDARD_STREAM
from .address import Source

IDLE_SECONDS = 120.0
"""How long the writer of a pipe may pause."""
_MOST_BEFORE_PICTURES = 1 << 16


class PipeReader(Closing):
    """Reads the standard input or a named pipe; waits for its writer, but not for ever."""

    def __init__(self, source: Source, idle_seconds: float = IDLE_SECONDS) -> None:
        """Open it. A named pipe may not have a writer yet.

        Raises:
            InputError: it cannot be opened, or the standard input is closed or a terminal.
        """
        self._shown = source.shown
        self.total_bytes = 0
        """What came so far."""
        self._idle_seconds = idle_seconds
        self._held = bytearray()
        if source.text == STANDARD_STREAM:
            if sys.stdin is None or sys.stdin.isatty():
                state = "closed" if sys.stdin is None else "a terminal"
                raise InputError(f"stdin: is {state}; pipe a video into it, as y4m or MPEG-TS")
            self._descriptor = os.dup(sys.stdin.fileno())
        else:
            try:
                self._descriptor = os.open(source.path, os.O_RDONLY | os.O_NONBLOCK)
            except OSError as error:
                raise InputError(f"{source.shown}: cannot be read ({error.strerror})") from error
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end.

        Raises:
            InputError: the writer paused for too long.
        """
        if self._held:
            data = bytes(self._held[:size])
            del self._held[:size]
            return data
        return self._next(size)

    def peek(self, size: int, start: int = 0) -> bytes:
        """`size` of the next bytes from `start` on, less at the end; `read` returns them once more.

        Raises:
            InputError: the writer paused for too long.
        """
        while len(self._held) < start + size:
            data = self._next(start + size - len(self._held))
            if not data:
                break
            self._held += data
        return bytes(self._held[start : start + size])

    def _next(self, size: int) -> bytes:
        while True:
            if not self._poll.poll(1000 * self._idle_seconds):
                raise InputError(f"{self._shown}: nothing came for {self._idle_seconds:g} s")
            try:
                data = os.read(self._descriptor, size)
            except BlockingIOError:
                continue
            self.total_bytes += len(data)
            return data

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._descriptor)


def open_pipe(source: Source, reader: PipeReader, say: Say) -> av.container.InputContainer:
    """Find out what comes through a pipe.

    An MP4 file whose index is at its end is read into a temporary file first.

    Raises:
        InputError: nothing that FFmpeg knows, or there is no room for the temporary file.
    """
    try:
        if _index_is_last(reader):
            say(
                f"{source.shown}: this MP4 file has its index at the end, so all of it is read "
                "first"
            )
            return open_to_read(_spooled(source, reader))
        return open_to_read(reader)
    except av.FFmpegError as error:
        raise InputError(
            f"{source.shown}: cannot be read as a video from a pipe, as y4m or MPEG-TS "
            f"({error.strerror})"
        ) from error


def _index_is_last(reader: PipeReader) -> bool:
    """Whether it is an MP4 or MOV file whose pictures come before the index that finds them."""
    start = 0
    while start <= _MOST_BEFORE_PICTURES:
        head = reader.peek(8, start)
        if len(head) < 8:
            return False
        size, name = struct.unpack(">I4s", head)
        if name == b"mdat":
            return True
        if name not in (b"ftyp", b"free", b"skip", b"wide", b"uuid", b"pdin") or size < 8:
            return False
        start += size
    return False


def spool(source: Source, reader: PipeReader, file: BinaryIO) -> None:
    """Write all that comes into a temporary file, and go to its start.

    Raises InputError: there is no room for it.
    """
    try:
        while data := reader.read(1 << 20):
            file.write(data)
        file.seek(0)
    except OSError as error:
        raise InputError(
            f"{source.shown}: cannot be copied to {tempfile.gettempdir()} "
            f"({error.strerror}); name the file itself instead of piping it"
        ) from error


def _spooled(source: Source, reader: PipeReader) -> BinaryIO:
    """All that comes, in a file that is gone when it is closed."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the container that reads it
    try:
        spool(source, reader, file)
    except InputError:
        file.close()
        raise
    return file
