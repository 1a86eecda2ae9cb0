"""Facts of the machine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from framelift.benchmarks.machine import describe_machine, installed_versions, peak_rss_bytes


def test_the_facts_are_there() -> None:
    machine = describe_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_bytes is None or machine.memory_bytes > 2**28
    assert machine.packages["numpy"]
    assert machine.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")


def test_gpus_come_from_the_driver_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert describe_machine().gpus == ("NVIDIA H200, 570.1, 143771 MiB",)
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert describe_machine().gpus == ()


def test_unknown_packages_are_left_out() -> None:
    assert list(installed_versions(("numpy", "no-such-package-at-all"))) == ["numpy"]


def test_peak_memory_covers_the_interpreter() -> None:
    peak = peak_rss_bytes()
    assert peak is None or peak > 2**20
