"""Which Python the tests run on besides this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("run.py")
RUNNING = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def run(folder: Path, **environment: str) -> tuple[int, str]:
    """The script's exit code and errors with nothing but `folder` on PATH."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder / "environments")],
        env={"PATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_another_python_one_line_says_so(tmp_path: Path) -> None:
    (tmp_path / RUNNING).symlink_to(sys.executable)
    broken = ["echo 'no such version' >&2; exit 127", "echo 3.9"]  # the first as pyenv's do
    others = [name for name in ("python3.13", "python3.12", "python3.11") if name != RUNNING]
    for name, script in zip(others, broken, strict=False):
        put(tmp_path, name, script)
    code, said = run(tmp_path)
    assert code == 0
    assert said.count("\n") == 1
    assert said.startswith("Tests on another Python left out: ")
    assert run(tmp_path, FRAMELIFT_REQUIRE_PYTHON="1") == (1, said)
    assert not (tmp_path / "environments").exists()


@pytest.mark.skipif(os.name == "nt", reason="a script of the shell stands for Python")
def test_a_python_that_cannot_install_is_a_failure(tmp_path: Path) -> None:
    """What it prints is not hidden: a package without a wheel for a new Python shows here."""
    version = "3.12" if RUNNING != "python3.12" else "3.13"
    put(tmp_path, f"python{version}", f'case "$1" in -c) echo {version};; *) exit 3;; esac')
    assert run(tmp_path) == (3, "")
