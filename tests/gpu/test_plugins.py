"""ONNX Runtime's plug-ins on real hardware, compared with its CPU provider.

TensorRT for RTX takes NVIDIA's RTX cards only, WebGPU needs Vulkan: each is skipped where its
plug-in lists no GPU, with what it says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends import onnx_webgpu, tensorrt_rtx
from framelift.runtime.backends.probe import probe_in_child
from framelift.runtime.models.zoo import resolve

from ..support.frames import noise
from ..support.gpu_reference import (
    assert_deep_frames_are_right,
    assert_same_within_one,
    assert_threads_get_their_own_frames,
    on_the_cpu,
)

pytestmark = pytest.mark.gpu


@pytest.fixture(params=["tensorrt-rtx", "onnx-webgpu"])
def backend(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    find_gpu = {"tensorrt-rtx": tensorrt_rtx.find_gpu, "onnx-webgpu": onnx_webgpu.find_gpu}[name]
    try:
        gpu = find_gpu(0)
    except BackendError as error:
        pytest.skip(str(error))
    if name == "onnx-webgpu" and onnx_webgpu.is_software(gpu):
        pytest.skip("WebGPU has a software adapter only")
    return name


@pytest.mark.parametrize("shape", [(1, 48, 64), (1, 37, 53), (5, 48, 64), (1, 1, 1)])
def test_fp32_equals_the_cpu_within_one_code_value(
    shuffle_model_path: Path, backend: str, shape: tuple[int, ...]
) -> None:
    frames = noise(*shape)
    with Upscaler.load(shuffle_model_path, backend) as upscale:
        for _ in range(4):  # with a CUDA graph, recorded and replayed
            assert_same_within_one(upscale(frames), on_the_cpu(shuffle_model_path, frames))


def test_a_shipped_model_on_changing_sizes(backend: str) -> None:
    model = resolve("realtime-small-x4")
    with Upscaler.load(model, backend) as upscale:
        for shape in ((270, 480), (135, 240), (180, 320), (270, 480)):
            frame = noise(*shape)
            difference = np.abs(upscale(frame).astype(np.int16) - on_the_cpu(model, frame))
            assert difference.max() <= 2  # half precision here, float32 there
            assert (difference <= 1).mean() >= 0.999
        assert upscale.describe()["backend"] == backend


def test_frames_of_16_bits(backend: str) -> None:
    assert_deep_frames_are_right(resolve("realtime-nano-x4"), backend)


def test_tiles_and_the_trial(shuffle_model_path: Path, backend: str) -> None:
    frame = noise(60, 80)
    with Upscaler.load(shuffle_model_path, backend, tile=24) as upscale:
        assert_same_within_one(upscale(frame), on_the_cpu(shuffle_model_path, frame))
    assert probe_in_child(backend, shuffle_model_path) is None


def test_upscalers_in_several_threads(shuffle_model_path: Path, backend: str) -> None:
    """TensorRT for RTX records graphs, which another upscaler's calls would end."""
    assert_threads_get_their_own_frames(shuffle_model_path, backend)
