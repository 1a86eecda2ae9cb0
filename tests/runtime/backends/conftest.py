"""A session of the backend onnx-cuda on a simulated GPU."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from framelift.runtime.backends.onnx_cuda import OnnxCudaSession
from framelift.runtime.models.file import ModelSpec, read_spec

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu
    from tests.support.simulated_ort import Sessions


@pytest.fixture
def spec(nearest_model_path: Path) -> ModelSpec:
    return read_spec(nearest_model_path)


@pytest.fixture
def gpu(simulated_gpu: ModuleType) -> Gpu:
    made: Gpu = simulated_gpu.Gpu()
    return made


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch, simulated_ort: ModuleType, gpu: Gpu) -> Sessions:
    installed: Sessions = simulated_ort.install(monkeypatch, gpu)
    return installed


@pytest.fixture
def session(sessions: Sessions, spec: ModelSpec) -> Iterator[OnnxCudaSession]:
    session = OnnxCudaSession(spec)
    yield session
    session.close()
