"""`--log-file`: what a command says, line by line and with the time, in a file as well."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from ...common.errors import OutputError


class LogFile:
    """A file that lines are added to. One that can no longer be written to is left alone."""

    def __init__(self, path: Path) -> None:
        """Raises OutputError if the file cannot be opened."""
        try:
            self._file: TextIO | None = path.open("a", encoding="utf-8", errors="replace")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written to ({error.strerror})") from error
        self._path = path

    def add(self, line: str) -> None:
        """Add a line; what a progress bar had shown before it is left out."""
        text = line.rpartition("\r")[2].rstrip()
        if self._file is None or not text:
            return
        now = datetime.now().astimezone().isoformat(timespec="milliseconds")
        try:
            self._file.write(f"{now} {text}\n")
            self._file.flush()
        except OSError as error:
            self.close()
            reason = f"the log file {self._path} can no longer be written ({error.strerror})"
            click.echo(f"note: {reason}", err=True)

    def close(self) -> None:
        """Add no more lines."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()


class _Copied:
    """A stream whose text goes into a log as well."""

    def __init__(self, stream: TextIO, log: LogFile) -> None:
        self.stream = stream
        self._log = log
        self._rest = ""

    def write(self, text: str) -> int:
        written = self.stream.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._log.add(line)
        self._rest = self._rest.rpartition("\r")[2]  # a progress bar overwrites itself
        return written

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever a stream has
        return getattr(self.stream, name)


_current: LogFile | None = None
_arguments: list[str] = []


def note_arguments(arguments: Sequence[str]) -> None:
    """Keep the command line for the first line of a log."""
    _arguments[:] = [str(argument) for argument in arguments]


def end(exit_code: int) -> None:
    """Add how the command ended, if there is a log, and let the streams be what they were."""
    global _current
    if _current is not None:
        _current.add(f"ended with exit code {exit_code}")
        _current.close()
        _current = None
    for name in ("stdout", "stderr"):
        if isinstance(stream := getattr(sys, name), _Copied):
            setattr(sys, name, stream.stream)


def _open(context: click.Context, option: click.Parameter, path: Path | None) -> None:
    global _current
    if path is None or context.resilient_parsing or _current is not None:
        return
    from importlib.metadata import version

    from ...common.secrets import without_secrets

    _current = LogFile(path)
    shown = [without_secrets(text) if "://" in text else text for text in _arguments]
    _current.add(f"framelift {version('framelift')}: {' '.join(shown)}")
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is not None:  # closed
            setattr(sys, name, _Copied(stream, _current))


_OPTION = click.Option(
    ["--log-file"],
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    callback=_open,
    is_eager=True,
    expose_value=False,
    help="Also append every message, with its time, to this file.",
)


def with_log_file(command: click.Command) -> None:
    """Give a command the option `--log-file`."""
    if _OPTION not in command.params:
        command.params.append(_OPTION)
