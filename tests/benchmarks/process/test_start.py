"""The start of the command is measured to the first byte that it writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from framelift.benchmarks.process.start import measure_start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the clock of a process")


def command(tmp_path: Path, script: str) -> str:
    file = tmp_path / "framelift"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return str(file)


def test_the_first_byte_is_before_the_end(tmp_path: Path) -> None:
    slow = command(tmp_path, 'sleep 0.1; : > "$3"; sleep 0.1; echo x > "$3"; sleep 0.2')
    start = measure_start(slow, tmp_path / "in.png")
    assert 0.2 <= start.first_byte <= start.end - 0.15
    assert 0 < start.first_byte_processor <= start.end_processor + 0.01 < 0.2


@pytest.mark.parametrize("script", ["exit 3", 'echo x > "$3"; exit 3'])
def test_a_command_that_fails_is_no_start(tmp_path: Path, script: str) -> None:
    with pytest.raises(RuntimeError, match=r"wrote nothing|exit code 3"):
        measure_start(command(tmp_path, script), tmp_path / "in.png")
