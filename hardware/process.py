"""Runs a command for at most so long, and leaves nothing of it running."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.1
_ADOPT_ORPHANS = 36  # PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class Ended:
    """How a command ended: `status` is "done", "failed" or "out of time"."""

    status: str
    seconds: float
    exit_code: int | None
    last_line: str


def run(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    *,
    folder: Path,
    limit_s: float,
    grace_s: float,
) -> Ended:
    """Run `command` in `folder`, its output to `log`.

    After `limit_s` it is asked to end, with all that it started, and killed after `grace_s` more.
    An exception that comes meanwhile ends it at once. Raises OSError if it cannot be started.
    """
    _adopt_orphans()
    others = set(descendants(os.getpid()))
    started = time.monotonic()
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
        try:
            in_time = _wait(child, started + limit_s)
            if not in_time:
                # The one alone: it may have to stop the others, which lose their work otherwise.
                _signal([child.pid], signal.SIGTERM)
                _wait(child, started + limit_s + grace_s)
        finally:
            _kill_all(child, others)
    status = "done" if child.returncode == 0 else "failed"
    return Ended(
        status if in_time else "out of time",
        round(time.monotonic() - started, 1),
        child.returncode,
        _last_line(log),
    )


def _wait(child: subprocess.Popen[bytes], deadline: float) -> bool:
    """Whether the command ended by then."""
    while child.poll() is None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _kill_all(child: subprocess.Popen[bytes], others: set[int]) -> None:
    """Kill the command and what it left running, but not the `others` of this process."""
    for _ in range(20):  # those may start more meanwhile
        alive = [process for process in descendants(os.getpid()) if process not in others]
        if child.poll() is None:
            alive.append(child.pid)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        if not alive:
            break
        _signal(alive, signal.SIGKILL)
        time.sleep(_POLL_SECONDS)
        for orphan in alive:
            if orphan != child.pid:
                with suppress(ChildProcessError):  # it has another parent
                    os.waitpid(orphan, os.WNOHANG)
    child.wait()


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def descendants(process: int) -> list[int]:
    """The processes that one has started, and those that these have; [] except on Linux.

    psutil would find them, too, but it is one of the wheels that a part unpacks later.
    """
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_bytes().rpartition(b")")[2].split()
            if fields[0] != b"Z":
                parents[int(status.parent.name)] = int(fields[1])
        except (OSError, ValueError, IndexError):  # it has ended
            continue
    found, new = set[int](), {process}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return sorted(found)


def _adopt_orphans() -> None:
    """Become the parent of what a command leaves behind, so that it can be found: Linux only."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)


def _last_line(log: Path) -> str:
    with suppress(OSError):
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""
    return ""
