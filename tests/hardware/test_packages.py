"""Packages come from a folder of wheels, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from hardware.plan import ROOT


def write_wheel(folder: Path, name: str, text: str) -> None:
    """A wheel of one module, written as the format asks."""
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")


def unpack(wheels: Path, target: Path, results: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "FRAMELIFT_RESULTS": str(results),
        # Whatever asks the network fails at once.
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_RETRIES": "0",
    }
    return subprocess.run(
        [sys.executable, "-m", "hardware.parts.packages", str(wheels), str(target)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_folder_of_wheels_is_unpacked(tmp_path: Path) -> None:
    wheels, target = tmp_path / "wheels", tmp_path / "packages"
    wheels.mkdir()
    write_wheel(wheels, "framelift_first", "VALUE = 7")
    write_wheel(wheels, "framelift_second", "import framelift_first")
    done = unpack(wheels, target, tmp_path / "rows.jsonl")
    assert done.returncode == 0, done.stdout + done.stderr
    code = "import framelift_second; print(framelift_second.framelift_first.VALUE)"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.strip() == "7"
    assert "framelift_second-1.0-py3-none-any.whl" in (tmp_path / "rows.jsonl").read_text()


def test_a_folder_without_wheels_fails_with_a_line(tmp_path: Path) -> None:
    done = unpack(tmp_path, tmp_path / "packages", tmp_path / "rows.jsonl")
    assert done.returncode == 1
    assert "holds no .whl file" in done.stdout
