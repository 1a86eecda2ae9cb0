"""Whether a GPU is worth it beside the processor."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from framelift.runtime.backends import trial
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import ModelSpec, read_spec


@pytest.fixture
def spec(nearest_model_path: Path) -> ModelSpec:
    return read_spec(nearest_model_path)


def gpu(**facts: Any) -> Any:  # noqa: ANN401 - what a session tells of its GPU
    return SimpleNamespace(device="a GPU", name="gpu", **facts)


def timed(monkeypatch: pytest.MonkeyPatch, gpu_ms: float, cpu_ms: float) -> None:
    def fastest(session: Any, _: ModelSpec) -> float:  # noqa: ANN401
        return cpu_ms if isinstance(session, OnnxCpuSession) else gpu_ms

    monkeypatch.setattr(trial, "fastest_ms", fastest)


def test_a_gpu_that_shares_memory_must_be_faster(
    monkeypatch: pytest.MonkeyPatch, spec: ModelSpec
) -> None:
    timed(monkeypatch, gpu_ms=20, cpu_ms=10)
    assert trial.slower_than(gpu(is_discrete=False), spec, spec) == (
        "a GPU is slower than the CPU (20 ms a frame beside 10 ms)"
    )
    timed(monkeypatch, gpu_ms=9, cpu_ms=10)
    assert trial.slower_than(gpu(is_discrete=False), spec, spec) is None


def test_a_discrete_gpu_is_not_timed(monkeypatch: pytest.MonkeyPatch, spec: ModelSpec) -> None:
    timed(monkeypatch, gpu_ms=20, cpu_ms=10)
    assert trial.slower_than(gpu(is_discrete=True), spec, spec) is None
    assert trial.slower_than(gpu(), spec, spec) is None  # a backend that always is one


def test_software_is_never_worth_it(spec: ModelSpec) -> None:
    session = gpu(is_discrete=True, is_software=True)
    session.device = "a software adapter"
    assert trial.slower_than(session, spec, spec) == "a software adapter is not a GPU"


def test_the_time_of_a_frame_is_really_taken(spec: ModelSpec) -> None:
    session = OnnxCpuSession(spec)
    assert 0 < trial.fastest_ms(session, spec) < 10_000
    session.close()
