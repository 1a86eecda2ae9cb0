"""ONNX Runtime's CUDA provider on real hardware, compared with its CPU provider.

Skipped where there is no NVIDIA GPU or no onnxruntime-gpu; FRAMELIFT_REQUIRE_GPU=1 makes the first
a failure.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from framelift.runtime import Upscaler
from framelift.runtime.backends import onnx_cuda
from framelift.runtime.gpu.cuda_python import cuda_python_problem
from framelift.runtime.models.zoo import resolve

from ..support.frames import noise
from ..support.gpu_reference import (
    assert_deep_frames_are_right,
    assert_frames_under_way_are_right,
    assert_same_within_one,
    assert_threads_get_their_own_frames,
    on_the_cpu,
)

Frames = NDArray[np.uint8]

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def installed() -> None:
    """TensorRT's tests may run where onnxruntime for the CPU is installed."""
    reason = onnx_cuda.missing()
    if reason is not None and "onnxruntime-gpu is not installed" in reason:
        pytest.skip(reason)
    assert reason is None
    assert cuda_python_problem() is None


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests may have begun to use PyTorch on the GPU, beside which no graph is recorded."""
    monkeypatch.setattr("framelift.runtime.gpu.cuda_gate._other_libraries", list)


@pytest.mark.parametrize("shape", [(1, 48, 64), (1, 37, 53), (5, 48, 64), (1, 1, 1)])
def test_fp32_equals_the_cpu_within_one_code_value(
    shuffle_model_path: Path, shape: tuple[int, ...]
) -> None:
    frames = noise(*shape)
    with Upscaler.load(shuffle_model_path, "onnx-cuda") as upscale:
        for _ in range(4):  # plain, recorded, replayed
            assert_same_within_one(upscale(frames), on_the_cpu(shuffle_model_path, frames))


def test_a_shipped_model_on_a_real_size() -> None:
    model, frames = resolve("realtime-small-x4"), noise(2, 270, 480)
    with Upscaler.load(model, "onnx-cuda") as upscale:
        got = [upscale(frames) for _ in range(3)][-1]
    difference = np.abs(got.astype(np.int16) - on_the_cpu(model, frames))
    assert difference.max() <= 2  # half precision here, float32 there
    assert (difference <= 1).mean() >= 0.999


def test_int8_in_the_form_for_tensorrt_runs(tmp_path: Path, tiny_models: ModuleType) -> None:
    """That for processors has no kernels here and is refused without a GPU, too."""
    pytest.importorskip("torch")
    from framelift.export.int8.calibration import calibrate
    from framelift.export.int8.quantisation import quantise

    frame = noise(1, 48, 64)
    calibrated = calibrate(tiny_models.pixel_shuffle_model(), [frame])
    model = tiny_models.set_metadata(quantise(calibrated, 100.0, symmetric=True), precision="int8")
    path = tiny_models.save(model, tmp_path / "int8.onnx")
    with Upscaler.load(path, "onnx-cuda") as upscale:
        difference = np.abs(upscale(frame).astype(np.int16) - on_the_cpu(path, frame))
    # Both round, each at its own places.
    assert difference.mean() < 1


def test_a_graph_is_replayed_and_gives_the_same_after_other_sizes(shuffle_model_path: Path) -> None:
    frame = noise(48, 64)
    with Upscaler.load(shuffle_model_path, "onnx-cuda") as upscale:
        plain = upscale(frame)
        for _ in range(3):
            upscale(noise(48, 64, seed=9))
        assert upscale.describe()["cuda_graph"] == "yes"
        assert np.array_equal(upscale(frame), plain)
        for index, size in enumerate([(52, 64), (60, 80), (33, 41), (52, 64)]):
            for _ in range(3):
                other = noise(*size, seed=index)
                assert_same_within_one(upscale(other), on_the_cpu(shuffle_model_path, other))
        for _ in range(3):
            assert np.array_equal(upscale(frame), plain)
        assert upscale.describe()["cuda_graph"] == "yes"


def test_half_precision_prefers_channels_last(shuffle_model_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from framelift.export.graph.half import to_half

    path = tmp_path / "half.onnx"
    path.write_bytes(to_half(onnx.load(shuffle_model_path)).SerializeToString())
    frame = noise(48, 64)
    with Upscaler.load(path, "onnx-cuda") as upscale:
        assert upscale.describe()["layout"] == "NHWC preferred"
        difference = np.abs(upscale(frame).astype(np.float64) - on_the_cpu(path, frame))
    assert 10 * np.log10(255**2 / max(np.square(difference).mean(), 1e-9)) >= 45


def test_stages_take_their_times_and_nothing_grows(shuffle_model_path: Path) -> None:
    from cuda.bindings import runtime

    frames, out = noise(4, 240, 320), np.empty((4, 960, 1280, 3), np.uint8)
    with Upscaler.load(shuffle_model_path, "onnx-cuda") as upscale:
        for _ in range(20):
            upscale(frames, out)
        before, (_, free, _) = upscale.stage_seconds, runtime.cudaMemGetInfo()
        for _ in range(200):
            upscale(frames, out)
        after = upscale.stage_seconds
        assert runtime.cudaMemGetInfo()[1] >= free - (1 << 20)
    assert set(after) == {"copy in", "inference", "copy out"}
    for stage, seconds in after.items():
        # 800 frames of 320×240 take more than nothing and less than a minute.
        assert 1e-5 < seconds - before[stage] < 60


@pytest.mark.parametrize("name", ["realtime-nano-x4", "realtime-small-x2"])
def test_frames_of_16_bits(name: str) -> None:
    assert_deep_frames_are_right(resolve(name), "onnx-cuda")


@pytest.mark.parametrize("pinned", [False, True])
def test_frames_under_way_come_out_right(shuffle_model_path: Path, pinned: bool) -> None:
    assert_frames_under_way_are_right(shuffle_model_path, "onnx-cuda", pinned=pinned)


def test_upscalers_in_several_threads(shuffle_model_path: Path) -> None:
    assert_threads_get_their_own_frames(shuffle_model_path, "onnx-cuda")
