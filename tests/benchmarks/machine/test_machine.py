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
)
from framelift.benchmarks.machine.gpus import device_memory_used, gpu_names
from framelift.benchmarks.report.checks import int8_warnings
from framelift.runtime.backends import onnx_webgpu, tensorrt_rtx
from tests.support.nvml import remove, simulate


def test_the_facts_are_there() -> None:
    machine = describe_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.memory_bytes is None or machine.memory_bytes > 2**28
    assert machine.packages["numpy"]
    assert machine.python.startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")


def test_what_a_backend_comes_with_is_among_the_packages() -> None:
    assert {onnx_webgpu.PLUGIN.distribution, tensorrt_rtx.PLUGIN.distribution} <= set(PACKAGES)


def test_gpus_come_from_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, {})
    assert describe_machine().gpus == ("NVIDIA H200, 570.1, 143771 MiB",)
    assert device_memory_used() == 4096 << 20
    remove(monkeypatch)
    assert describe_machine().gpus == ()
    assert device_memory_used() is None


def test_a_gpu_that_does_not_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, {"Name": None, "MemoryInfo": None})
    assert gpu_names() == ()
    assert device_memory_used() is None


def test_the_gpus_are_those_that_programs_see(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus: list[dict[str, object]] = [{"Name": name, "UUID": f"GPU-{name}"} for name in "abc"]
    simulate(monkeypatch, *gpus)
    for visible, expected in (("2,0", "ca"), ("GPU-b", "b"), ("", "abc"), ("GPU-d", "")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        assert [name.partition(",")[0] for name in gpu_names()] == list(expected)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert len(gpu_names()) == 3


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
