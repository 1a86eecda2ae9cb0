"""Runs tests on another Python: `python tests/pythons/run.py FOLDER [EXTRAS]`.

The newest one on PATH that works gets a new environment below FOLDER, with the newest packages that
pip finds for it: those of the extras, "cpu" unless named. With "cpu,train" tests of training and
export run, too. Where there is no other Python, one line says so; FRAMELIFT_REQUIRE_PYTHON=1 makes
that a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.14", "3.13", "3.12", "3.11")
RUNTIME = (
    "tests/common/libraries/test_pyav.py",
    "tests/runtime/models",
    "tests/runtime/test_upscaler.py",
    "tests/runtime/video/test_file_sink.py",
    "tests/runtime/video/test_file_source.py",
    "tests/runtime/video/test_passthrough.py",
    "tests/runtime/live/test_pipes.py",
    "tests/cli/test_upscale.py",
)
TRAINING = (
    "tests/train/loop/test_trainer.py",
    "tests/train/checkpoints",
    "tests/cli/test_export.py",
)


def another_python() -> str | None:
    """The newest other Python that works. One of a version manager may be on PATH and not work."""
    running = ".".join(map(str, sys.version_info[:2]))
    for version in VERSIONS:
        found = shutil.which(f"python{version}")
        if version != running and found and _works(found, version):
            return found
    return None


def _works(python: str, version: str) -> bool:
    """Whether it starts, is of that version and can make environments."""
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return done.returncode == 0 and done.stdout.strip() == version


def main(folder: Path, extras: str = "cpu") -> int:
    """Install and test; 0 where there is no other Python."""
    python = another_python()
    if python is None:
        names = ", ".join(f"python{version}" for version in VERSIONS)
        sys.stderr.write(f"Tests on another Python left out: of {names} no other one works here\n")
        return int(os.environ.get("FRAMELIFT_REQUIRE_PYTHON") == "1")
    environment = folder / Path(python).name
    inside = str(environment / "bin" / "python")
    pip = [inside, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    tests = [*RUNTIME, *(TRAINING if "train" in extras.split(",") else ())]
    for command in (
        [python, "-m", "venv", "--clear", str(environment)],
        [*pip, "--editable", f".[{extras}]", "pytest"],
        [inside, "--version"],
        [inside, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
    ):
        done = subprocess.run(command, cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:3]))
