"""Facts of the machine."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from framelift.benchmarks.machine.facts import (
    INSTRUCTIONS,
    PACKAGES,
    describe_machine,
    installed_versions,
    peak_rss_bytes,
    query_gpus,
)
from framelift.benchmarks.report.checks import int8_warnings
from framelift.runtime.backends import onnx_webgpu, tensorrt_rtx


def test_the_facts_are_there() -> None:
    machine = describe_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_bytes is None or machine.memory_bytes > 2**28
    assert machine.packages["numpy"]
    assert machine.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")


def test_what_a_backend_comes_with_is_among_the_packages() -> None:
    assert {onnx_webgpu.PLUGIN.distribution, tensorrt_rtx.PLUGIN.distribution} <= set(PACKAGES)


def test_gpus_come_from_the_driver_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'NVIDIA H200, 570.1, 143771 MiB'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert describe_machine().gpus == ("NVIDIA H200, 570.1, 143771 MiB",)
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert describe_machine().gpus == ()


def test_the_gpu_asked_is_the_one_that_programs_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\necho "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,0")
    assert query_gpus("name") == ["--query-gpu=name --format=csv,noheader --id=2"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert query_gpus("name") == ["--query-gpu=name --format=csv,noheader"]


def test_int8_needs_an_instruction_for_it() -> None:
    machine = replace(describe_machine(), instructions=("avx2",))
    ours = {"precision": "int8", "provider": "CPUExecutionProvider"}
    cases = {"a": ours, "b": {**ours, "precision": "fp32"}, "c": {**ours, "provider": "other"}}
    (warning,) = int8_warnings(machine, cases)
    assert warning.endswith(
        "without VNNI: a; ONNX Runtime sums pairs of products in 16 bits there: "
        "slower than elsewhere"
    )
    (warning,) = int8_warnings(machine, {"a": ours, "d": {**ours, "int8": "without VNNI: 9 …"}})
    assert warning.endswith("elsewhere; weights of d get a coarser step: less exact")
    assert int8_warnings(machine, {"b": cases["b"]}) == []
    for more in (("avx2", "avx512_vnni"), ("avx2", "avx_vnni"), ("asimd", "asimddp"), ()):
        assert int8_warnings(replace(machine, instructions=more), cases) == []


def test_the_instructions_are_those_of_the_processor() -> None:
    told = Path("/proc/cpuinfo")
    text = told.read_text(encoding="utf-8", errors="replace") if told.exists() else ""
    for name in describe_machine().instructions:
        assert name in INSTRUCTIONS
        assert name in text


def test_unknown_packages_are_left_out() -> None:
    assert list(installed_versions(("numpy", "no-such-package-at-all"))) == ["numpy"]


def test_peak_memory_covers_the_interpreter() -> None:
    peak = peak_rss_bytes()
    assert peak is None or peak > 2**20
