"""Starts and watches the process in which files are upscaled."""

from __future__ import annotations

import contextlib
import json
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ...common.notes import Say
from ...common.text import printable
from ...runtime.files.settings import FileSettings
from .messages import (
    Answer,
    Job,
    Join,
    Load,
    Make,
    MakePiece,
    Message,
    Plan,
    message_from,
    to_line,
)

if TYPE_CHECKING:
    from ..plan.films import Film
    from ..plan.listing import Item

_SILENT_SECONDS = 300.0
"""A child that says nothing for so long is stuck, as even a busy one says that it is there."""
_STOP_SECONDS = 15.0
_LINES_KEPT = 20


class ChildProcess:
    """Upscales files in a process of its own, which is started again when it was lost.

    Not for several threads. Call `close` at the end.
    """

    def __init__(
        self,
        settings: FileSettings,
        say: Say,
    ) -> None:
        """`say` gets notes, one line each."""
        self._settings = settings
        self._say = say
        self.silent_seconds = _SILENT_SECONDS
        """It is given up after it sent nothing for so long."""
        self._running: _Running | None = None

    @property
    def pid(self) -> int | None:
        """The process, if one runs."""
        return self._running.process.pid if self._running else None

    def load(self, source: Path) -> Answer:
        """Load the model for a file; every error is fatal."""
        return self._ask(Load(str(source)))

    def make(self, source: Path, target: Path, *, replace: bool) -> Answer:
        """Upscale one file. Its process ending, or being stuck, is an answer, too."""
        return self._ask(Make(str(source), str(target), replace))

    def plan(self, source: Path, seconds: float) -> Answer:
        """Cut a video into pieces of about that length."""
        return self._ask(Plan(str(source), seconds))

    def piece(self, film: Film, item: Item) -> Answer:
        """Upscale a piece of a film into its work folder."""
        assert item.piece is not None
        piece, place = film.pieces[item.piece], str(film.place(item.piece))
        return self._ask(MakePiece(str(film.source), piece, place, film.made_with))

    def join(self, film: Film, *, replace: bool) -> Answer:
        """Join the pieces of a film into its target."""
        places = [str(film.place(number)) for number in range(len(film.pieces))]
        source, target = str(film.source), str(film.target)
        return self._ask(Join(source, target, film.pieces, places, film.made_with, replace))

    def close(self) -> None:
        """Stop the process; a file that is being made is given up, and nothing of it is left."""
        running, self._running = self._running, None
        if running is not None:
            running.stop()

    def _ask(self, job: Job) -> Answer:
        if self._running is None:
            self._running = _Running(self._settings)
        running = self._running
        if not running.send(to_line(job)):
            return self._lost(running, job)
        while True:
            message = running.next_message(self.silent_seconds)
            if message is None:
                return self._lost(running, job)
            if message.note:
                self._say(message.note)
            if (answer := message.answer) is not None:
                if answer.kind and answer.kind not in HARMLESS:
                    self.close()  # who knows what state it left
                return answer

    def _lost(self, running: _Running, job: Job) -> Answer:
        if running.process.poll() is None and not running.ended:
            running.process.kill()
            line = f"its process did not answer for {self.silent_seconds:g} s and was ended"
        else:
            line = _how_it_ended(running)
        self.close()
        return Answer("ProcessLost", f"{job.source}: {line}", isinstance(job, Load))


HARMLESS = frozenset({"InputError", "OutputError", "ConfigError", "FrameError"})
"""Errors after which a process is as good as before."""


class _Running:
    """A child process that runs."""

    def __init__(self, settings: FileSettings) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "framelift.archive.worker.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl-C is for us, who then stop it in order
        )
        self.ended = False
        self.last_lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._readers = [
            _reader(self.process.stdout, self._take_message),
            _reader(self.process.stderr, self.last_lines.append),
        ]
        self.send(json.dumps(asdict(settings)) + "\n")

    def send(self, line: str) -> bool:
        """Hand a line over; False when nobody is there."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line)
            self.process.stdin.flush()
        except OSError:
            self.ended = True
            return False
        return True

    def next_message(self, seconds: float) -> Message | None:
        """What it says next; `None` when it ended or says nothing for so long."""
        try:
            message = self._messages.get(timeout=seconds)
        except queue.Empty:
            return None
        self.ended = message is None
        return message

    def stop(self) -> None:
        """End it, in order if it can still do that."""
        with contextlib.suppress(OSError):
            assert self.process.stdin is not None
            self.process.stdin.close()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _take_message(self, line: str) -> None:
        self._messages.put(message_from(line) if line else None)


def _reader(stream: IO[str] | None, take: Callable[[str], None]) -> threading.Thread:
    """A thread that takes each line of `stream`, and an empty one when it ends."""
    assert stream is not None

    def read() -> None:
        for line in stream:
            take(line)
        take("")

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _how_it_ended(running: _Running) -> str:
    code = running.process.wait()
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = " (often the system, when memory runs out)" if -code == signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    lines = [printable(line.strip()) for line in running.last_lines if line.strip()]
    last = f": {lines[-1][:200]}" if lines else ""
    return f"its process ended with exit code {code}{last}"
