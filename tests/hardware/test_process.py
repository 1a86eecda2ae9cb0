"""Commands end when they should, and nothing of them stays."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from hardware.process import Ended, descendants, run

from ..support.waiting import PATIENCE_S
from .clock import Clock

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def run_code(tmp_path: Path, code: str, *, grace_s: float = 0.3) -> Ended:
    log = tmp_path / "log"
    environment = {**os.environ, "FOLDER": str(tmp_path)}
    return run(
        [sys.executable, "-c", code],
        log,
        environment,
        folder=tmp_path,
        limit_s=PATIENCE_S,
        grace_s=grace_s,
    )


@pytest.fixture
def over_once_it_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of a command is over once it has printed a line."""

    log = tmp_path / "log"

    def printed() -> bool:
        return log.is_file() and "\n" in log.read_text(encoding="utf-8")

    monkeypatch.setattr("hardware.process.time", Clock(printed, PATIENCE_S))


def test_what_ends_by_itself(tmp_path: Path) -> None:
    done = run_code(tmp_path, "print('first'); print('last')")
    assert (done.status, done.exit_code, done.last_line) == ("done", 0, "last")
    failed = run_code(tmp_path, "raise ValueError('no good')")
    assert (failed.status, failed.exit_code) == ("failed", 1)
    assert failed.last_line == "ValueError: no good"


@pytest.mark.usefixtures("over_once_it_printed")
def test_what_takes_too_long_is_asked_to_end_first(tmp_path: Path) -> None:
    code = (
        "import signal, time\n"
        "def stop(*_): print('saved'); raise SystemExit(3)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "time.sleep(600)"
    )
    ended = run_code(tmp_path, code, grace_s=10 * PATIENCE_S)
    assert (ended.status, ended.exit_code, ended.last_line) == ("out of time", 3, "saved")
    assert ended.seconds < 2 * PATIENCE_S


@linux
@pytest.mark.usefixtures("over_once_it_printed")
def test_what_does_not_listen_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    """Processes in sessions of their own too, as trainings are."""
    code = (
        "import os, signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'],\n"
        "                         start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(600)"
    )
    ended = run_code(tmp_path, code)
    assert ended.status == "out of time"
    assert not is_running(int(ended.last_line))


@linux
def test_what_is_left_running_at_the_end_is_killed_too(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],\n"
        "                         start_new_session=True)\n"
        "print(child.pid, flush=True)"
    )
    others = descendants(os.getpid())  # other tests keep worker processes
    ended = run_code(tmp_path, code)
    assert ended.status == "done"
    assert not is_running(int(ended.last_line))
    assert set(descendants(os.getpid())) <= set(others)


def test_what_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-program"):
        run(["no-such-program"], tmp_path / "log", {}, folder=tmp_path, limit_s=1, grace_s=1)


def is_running(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in ("Z", "X")
