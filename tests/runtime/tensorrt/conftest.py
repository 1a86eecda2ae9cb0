"""Fixtures of the engine tests."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from framelift.runtime.models.file import ModelSpec, read_spec

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, simulated_gpu: ModuleType, tmp_path: Path) -> Gpu:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu: Gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu())
    return gpu


@pytest.fixture
def spec(nearest_model_path: Path) -> ModelSpec:
    return read_spec(nearest_model_path)
