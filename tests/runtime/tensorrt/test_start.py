"""What the trial of the native backend does on a simulated GPU: everything but building."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from framelift.runtime.backends.trial import trial

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu


def test_it_builds_nothing_and_leaves_nothing_behind(gpu: Gpu, nearest_model_path: Path) -> None:
    assert trial("tensorrt", nearest_model_path) is None
    assert gpu.builds == []
    assert not gpu.live


def test_it_tries_the_gpu_that_is_asked_for(gpu: Gpu, nearest_model_path: Path) -> None:
    gpu.devices = 2
    assert trial("tensorrt", nearest_model_path, 1) is None
    assert gpu.current_device == 1
    assert "there is no GPU 2" in str(trial("tensorrt", nearest_model_path, 2))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"devices": 0}, "cudaGetDeviceCount failed"),
        ({"refuses": {"create_runtime"}}, "TensorRT 11.4.0.106 cannot start: "),
        ({"memory_limit": 1000}, "cudaMalloc failed: "),
    ],
)
def test_what_does_not_work_is_found(
    gpu: Gpu, nearest_model_path: Path, fault: dict[str, object], reason: str
) -> None:
    for name, value in fault.items():
        setattr(gpu, name, value)
    assert reason in str(trial("tensorrt", nearest_model_path))
    assert not gpu.live


def test_a_model_that_tensorrt_does_not_take_is_found(
    gpu: Gpu, simulated_gpu: ModuleType, nearest_model_path: Path
) -> None:
    gpu.parser_errors = [simulated_gpu.ParserError("up", "Resize", "cubic is not supported.")]
    assert "node 'up' (Resize): cubic is not supported" in str(
        trial("tensorrt", nearest_model_path)
    )
