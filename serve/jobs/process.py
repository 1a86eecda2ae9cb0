"""A job's process as the server sees it: started, listened to, stopped, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from .checks import LimitError
from .settings import Limits

_GRACE_SECONDS = 5.0
_LONGEST_OUTPUT = 1 << 20
_TAIL_BYTES = 4096


class Input(Struct):
    """What the process read of its input, a video."""

    frames: int | None


class Running(Struct):
    """How far the process is."""

    frames: int
    """Of what was left to do when it started, like `total`."""
    total: int | None
    fps: float


class Update(Struct):
    """A line that the process writes while it works: one of these."""

    input: Input | None = None
    progress: Running | None = None


Report = Callable[[Update], None]


@dataclass(frozen=True)
class Outcome:
    """How a job's process ended: the summary of the command, or its error."""

    document: dict[str, Any] | None
    """What `--json` prints; None unless it went well."""
    error: dict[str, str] | None
    """`kind` and `message`; None if it went well."""
    unexplained: str = ""
    """The last lines on the standard error output of a process that gave no reason."""


async def run_process(
    command: Sequence[str],
    arguments: Sequence[str],
    folder: Path,
    limits: Limits,
    report: Report,
) -> Outcome:
    """Run the command in `folder`, for at most the time of the limits, and say how it ended.

    When cancelled, the process is stopped before this returns: asked first, then killed, together
    with all that it started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(asdict(limits)),
        *arguments,
        cwd=folder,
        env=_environment(),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limits.job_seconds):
            output, tail = await asyncio.gather(_listen(process, report), _tail(process))
            code = await process.wait()
    except TimeoutError:
        message = f"{arguments[1]}: took longer than {limits.job_seconds:g} s, this server's limit"
        return Outcome(None, {"kind": LimitError.__name__, "message": message})
    finally:
        await _stop(process)
    return _outcome(output, tail, f"{arguments[1]}: {_crash(code, limits)}", code)


def _environment() -> dict[str, str]:
    """The server's own without its token; defaults of the operator's command line do not count."""
    kept = {key: value for key, value in os.environ.items() if key != "FRAMELIFT_TOKEN"}
    return {**kept, "FRAMELIFT_CONFIG": "", "PYTHONUTF8": "1"}


async def _listen(process: Process, report: Report) -> bytes:
    """Pass on the updates of the process; the rest of its output is returned."""
    assert process.stdout is not None
    rest, kept = b"", bytearray()
    while chunk := await process.stdout.read(1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if not _reported(line, report) and len(kept) < _LONGEST_OUTPUT:
                kept += line + b"\n"
    return bytes(kept) + rest


def _reported(line: bytes, report: Report) -> bool:
    if not line.startswith((b'{"input": ', b'{"progress": ')):
        return False
    report(msgspec.json.decode(line, type=Update))
    return True


async def _tail(process: Process) -> str:
    assert process.stderr is not None
    tail = b""
    while chunk := await process.stderr.read(1 << 16):
        tail = (tail + chunk)[-_TAIL_BYTES:]
    return tail.decode(errors="replace")


async def _stop(process: Process) -> None:
    """End the process and those that it started, if they still run."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        waiting = asyncio.create_task(process.wait())
        await asyncio.wait([waiting], timeout=_GRACE_SECONDS)
        if not waiting.done():
            _kill(process)
            await waiting
    _kill(process)


def _kill(process: Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _outcome(output: bytes, tail: str, crash: str, code: int) -> Outcome:
    try:
        document = json.loads(output)
    except ValueError:
        document = None
    if isinstance(document, dict):
        if code == 0 and document.get("done"):
            return Outcome(document, None)
        if isinstance(error := document.get("error"), dict):
            return Outcome(None, {"kind": error["kind"], "message": error["message"]})
    return Outcome(None, {"kind": "CrashError", "message": crash}, tail or "nothing")


def _crash(code: int, limits: Limits) -> str:
    how = f"with exit code {code}"
    if code < 0:
        try:
            how = f"on {signal.Signals(-code).name}"
        except ValueError:
            how = f"on signal {-code}"
    memory = ""
    if limits.memory_bytes:
        memory = f"; it may have needed more than {limits.memory_bytes / 2**30:g} GiB of memory"
    return f"the process of the job ended {how}{memory}"
