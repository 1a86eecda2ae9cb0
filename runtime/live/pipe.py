"""A pipe as a file object that FFmpeg can read without ever hanging."""

from __future__ import annotations

import os
import select
import sys
from types import TracebackType
from typing import Self

import av

from ...common.errors import InputError
from .address import STANDARD_STREAM, Source

IDLE_SECONDS = 120.0
"""How long the writer of a pipe may pause."""


class PipeReader:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, size: int) -> bytes:
        """At most `size` bytes, none at the end.

        Raises:
            InputError: the writer paused for too long.
        """
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


def open_pipe(source: Source, reader: PipeReader) -> av.container.InputContainer:
    """Find out what comes through a pipe.

    Raises:
        InputError: nothing that FFmpeg knows.
    """
    try:
        return av.open(reader, "r", metadata_errors="replace")
    except av.FFmpegError as error:
        raise InputError(
            f"{source.shown}: cannot be read as a video from a pipe, as y4m or MPEG-TS "
            f"({error.strerror})"
        ) from error
