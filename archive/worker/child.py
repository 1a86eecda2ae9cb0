"""The process in which files are upscaled: `python -m framelift.archive.worker.child`.

It reads a line of JSON for each file on its standard input and answers with lines of JSON on its
standard output. A crash in native code, or the kernel when memory runs out, ends this process and
costs one try of one file. When the input ends, whoever started it is gone: it stops at once and
leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from ...common.errors import FrameliftError, Interrupted
from ...common.signals import signals_as_errors
from ...common.text import one_line
from ...runtime import Upscaler
from ...runtime.files.jobs import becomes_image
from ...runtime.files.settings import FileSettings
from .messages import (
    ALIVE_SECONDS,
    Answer,
    Job,
    Join,
    Load,
    Loaded,
    Make,
    MakePiece,
    Message,
    Plan,
    job_from,
    to_line,
)
from .one_file import FileUpscaler

_STOP_SECONDS = 10.0
_OUT_OF_MEMORY_SCORE = 500
"""Of 1000: when memory runs out, the kernel ends this process before those that watch over it."""


def main() -> None:
    """Serve until the input ends."""
    answers = _Answers(_own_standard_output())
    _prefer_for_out_of_memory()
    with contextlib.suppress(Interrupted), signals_as_errors():
        settings = FileSettings(**json.loads(sys.stdin.readline()))
        jobs = _jobs_from(sys.stdin)
        _start(answers.keep_alive)
        upscale = FileUpscaler(settings, answers.note)
        while (job := jobs.get()) is not None:
            answers.send(_answer(upscale, job))
    # Threads may be stuck in native code, where the interpreter's own end would hang.
    os._exit(0)


def _answer(upscale: FileUpscaler, job: Job) -> Answer:
    what, loaded = job.source, False
    try:
        _load(upscale, job)
        loaded = True
        return _do(upscale, job)
    except Interrupted:
        raise
    except FrameliftError as error:
        kind, line, fatal = type(error).__name__, one_line(error), _is_full(error)
    except OSError as error:  # a name that the system refuses, such as one that is too long
        kind, line = "OSError", f"{error.filename or what}: {error.strerror or error}"
        fatal = _is_full(error)
    except MemoryError as error:
        kind, line, fatal = "MemoryError", f"{what}: out of memory {error}".rstrip(), False
    except Exception as error:  # a bug in Framelift fails this file, not the next ones
        kind, fatal = type(error).__name__, False
        line = f"{what}: {kind}: {one_line(error)}"
    return Answer(kind, line, fatal or not loaded)


def _load(upscale: FileUpscaler, job: Job) -> Upscaler:
    source = Path(job.source)
    target = Path(job.target) if isinstance(job, Make | Join) else source
    return upscale.load(images=becomes_image(source, target), source=source)


def _loaded(upscaler: Upscaler) -> Loaded:
    facts = upscaler.describe()
    return Loaded(str(facts["model"]), upscaler.scale, str(facts["backend"]), str(facts["device"]))


def _do(upscale: FileUpscaler, job: Job) -> Answer:
    source = Path(job.source)
    match job:
        case Load():
            return Answer(loaded=_loaded(_load(upscale, job)))
        case Plan():
            return Answer(planned=upscale.plan(source, job.seconds))
        case MakePiece():
            made = upscale.piece(source, job.piece, Path(job.place), job.made_with)
            return Answer(made=made)
        case Make() | Join():
            target = Path(job.target)
            target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(job, Make):
        return Answer(made=upscale(source, target, replace=job.replace))
    places = [Path(place) for place in job.places]
    made = upscale.join(source, target, job.pieces, places, job.made_with, replace=job.replace)
    return Answer(made=made)


def _is_full(error: BaseException | None) -> bool:
    """Whether there is no space on the disk, which every other file would find, too."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error = error.__cause__
    return False


class _Answers:
    """Writes answers, from several threads."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, answer: Answer) -> None:
        self._write(Message(answer=answer))

    def note(self, line: str) -> None:
        self._write(Message(line))

    def keep_alive(self) -> None:
        while True:
            threading.Event().wait(ALIVE_SECONDS)
            self._write(Message())

    def _write(self, message: Message) -> None:
        with self._lock, contextlib.suppress(OSError):  # nobody listens any more
            self._stream.write(to_line(message))
            self._stream.flush()


def _jobs_from(stream: TextIO) -> queue.Queue[Job | None]:
    """What comes on `stream`, read by a thread so that its end is noticed at once."""
    jobs: queue.Queue[Job | None] = queue.Queue()

    def read() -> None:
        for line in stream:
            jobs.put(job_from(line))
        threading.Timer(_STOP_SECONDS, os._exit, (1,)).start()
        jobs.put(None)
        os.kill(os.getpid(), signal.SIGTERM)  # a file that is being made is given up

    _start(read)
    return jobs


def _start(function: Any) -> None:  # noqa: ANN401
    threading.Thread(target=function, daemon=True).start()


def _own_standard_output() -> TextIO:
    """Keep the standard output for answers; what native libraries print goes to stderr."""
    descriptor = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(descriptor, "w", encoding="utf-8")


def _prefer_for_out_of_memory() -> None:
    with contextlib.suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(str(_OUT_OF_MEMORY_SCORE), encoding="ascii")


if __name__ == "__main__":
    main()
