"""One training at a time in a run folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.common.errors import InputError, OutputError
from framelift.train.loop.claim import LOCK, claimed
from framelift.train.loop.start import RunOptions, start

HOLD = """
import sys, time
from pathlib import Path
from framelift.train.loop.claim import claimed
with claimed(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_in_one_folder_is_refused_until_the_first_has_gone(tmp_path: Path) -> None:
    run = tmp_path / "run"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        for resume in (False, True):
            with pytest.raises(
                OutputError, match=f"^run folder {run}: another training is running"
            ):
                start(
                    RunOptions(
                        "realtime-small-x4", [tmp_path], run, device="cpu", resume=resume, threads=1
                    )
                )
        os.kill(holder.pid, signal.SIGKILL)  # the system frees what it held
        holder.wait()
        with claimed(run):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_a_folder_that_nothing_was_written_into_is_removed(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    with pytest.raises(InputError, match="no such folder"):
        start(
            RunOptions(
                "realtime-small-x4", [tmp_path / "none"], deep / "run", device="cpu", threads=1
            )
        )
    assert not list(tmp_path.iterdir())
    (tmp_path / "there").mkdir()
    with claimed(tmp_path / "there"):
        pass
    with claimed(deep):
        (deep / "file").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "there"]
    assert sorted(path.name for path in deep.iterdir()) == [LOCK, "file"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OutputError, match=r"file/run: cannot be locked \(Not a directory\)"),
        claimed(tmp_path / "file" / "run"),
    ):
        pass
