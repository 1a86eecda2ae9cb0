"""The real WebGPU plug-in on the GPU of this machine, or on Vulkan in software.

`make test-webgpu` sets up the latter. What is judged is ONNX Runtime's processor provider.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from framelift.benchmarks.shared.float_session import FloatSession
from framelift.common.errors import BackendError
from framelift.common.libraries.memory import is_out_of_memory
from framelift.runtime import Upscaler
from framelift.runtime.backends import onnx_webgpu
from framelift.runtime.backends.onnx_webgpu import OnnxWebgpuSession
from framelift.runtime.backends.probe import probe_in_child
from framelift.runtime.models.file import read_spec

from ..support.frames import noise, run
from ..support.waiting import PATIENCE_S

Frames = NDArray[np.uint8]

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    onnx_webgpu.missing() is not None,
    reason=f"{onnx_webgpu.missing()}; `make test-webgpu` runs it on Vulkan in software",
)


@pytest.fixture
def photograph() -> Frames:
    """24×32, a piece of the raccoon."""
    image = cv2.imread(str(ROOT / "examples/raccoon.jpg"))
    assert image is not None
    return np.ascontiguousarray(image[200:224, 300:332], np.uint8)


@pytest.fixture(scope="module")
def webgpu(shuffle_model_path: Path) -> Iterator[Upscaler]:
    with Upscaler.load(shuffle_model_path, "onnx-webgpu") as upscale:
        yield upscale


@pytest.fixture(scope="module")
def cpu(shuffle_model_path: Path) -> Iterator[Upscaler]:
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscale:
        yield upscale


def codes_apart(one: Frames, other: Frames) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


def test_a_shipped_model_gives_the_picture_of_the_processor(photograph: Frames) -> None:
    """realtime-nano-x4 ships in fp16, which the processor computes in float32."""
    with (
        Upscaler.load("realtime-nano-x4", "onnx-webgpu") as webgpu,
        Upscaler.load("realtime-nano-x4", "onnx-cpu") as cpu,
    ):
        facts = webgpu.describe()
        assert facts["provider"] == "WebGpuExecutionProvider"
        assert facts["precision"] == "fp16"
        if facts["device"] == "a software adapter":  # SwiftShader has no half precision
            assert facts["computed_in"] == "float32"
        limit = 1 if "computed_in" in facts else 3
        assert codes_apart(webgpu(photograph), cpu(photograph)) <= limit


@pytest.mark.parametrize("shape", [(8, 8), (9, 7), (1, 1), (3, 9, 7)])
def test_frames_of_any_size_and_batches(
    webgpu: Upscaler, cpu: Upscaler, shape: tuple[int, ...]
) -> None:
    frames = noise(*shape)
    assert codes_apart(webgpu(frames), cpu(frames)) <= 1


def test_tiles_give_the_whole_frame(shuffle_model_path: Path, cpu: Upscaler) -> None:
    frame = noise(20, 26)
    with Upscaler.load(shuffle_model_path, "onnx-webgpu", tile=12) as tiled:
        assert codes_apart(tiled(frame), cpu(frame)) <= 1


def test_two_upscalers_side_by_side(
    webgpu: Upscaler, cpu: Upscaler, shuffle_model_path: Path
) -> None:
    frames = [noise(8, 8, seed=seed) for seed in range(3)]
    with Upscaler.load(shuffle_model_path, "onnx-webgpu") as other:
        for frame in frames:
            assert codes_apart(webgpu(frame), cpu(frame)) <= 1
            assert codes_apart(other(frame), cpu(frame)) <= 1
    assert codes_apart(webgpu(frames[0]), cpu(frames[0])) <= 1


def test_an_int8_model_is_refused_with_the_file_to_use() -> None:
    with pytest.raises(BackendError, match=r"use realtime-nano-x4, the same network without int8$"):
        Upscaler.load("realtime-nano-x4-int8", "onnx-webgpu")


def test_operators_that_would_fall_to_the_processor_are_named(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.pixel_shuffle_model()
    relu = next(node for node in model.graph.node if node.op_type == "Relu")
    relu.CopyFrom(onnx.helper.make_node("LRN", list(relu.input), list(relu.output), size=1))
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(
        BackendError, match=r"^onnx-webgpu would run nodes on CPUExecutionProvider \(.*LRN"
    ):
        Upscaler.load(path, "onnx-webgpu")


def test_too_little_memory_is_recognised_and_smaller_frames_go_on(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    """Tiles become smaller then. WebGPU itself says only that a buffer is invalid."""
    if not onnx_webgpu.is_software(onnx_webgpu.find_gpu(0)):
        pytest.skip("a real GPU may have the memory")
    wide = tiny_models.pixel_shuffle_model(channels=640)
    session = OnnxWebgpuSession(read_spec(tiny_models.save(wide, tmp_path / "m.onnx")))
    with pytest.raises(BackendError) as caught:
        run(session, noise(1, 1024, 1024))
    assert is_out_of_memory(caught.value)
    assert run(session, noise(1, 4, 4)).shape == (1, 16, 16, 3)
    session.close()


def test_the_gpu_cannot_be_chosen(shuffle_model_path: Path) -> None:
    with pytest.raises(BackendError, match=r"onnx-webgpu cannot run on GPU 1: its plug-in chooses"):
        Upscaler.load(shuffle_model_path, "onnx-webgpu", device=1)


def test_the_float_network_is_measured_in_the_same_precision() -> None:
    """`bench overhead` and `bench espcn` put it beside the backend."""
    with Upscaler.load("realtime-nano-x4", "onnx-webgpu") as upscaler:
        session = FloatSession.of(upscaler)
        small = session.run(np.full((1, 3, 8, 8), 0.5, np.float32))
    assert session.provider == "WebGpuExecutionProvider"
    assert small.shape == (1, 3, 32, 32)


_THREADS = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from framelift.runtime import Upscaler
frames = np.random.default_rng(1).integers(0, 256, (4, 16, 16, 3), np.uint8)
load = lambda backend: Upscaler.load(sys.argv[1], backend)
with load("onnx-cpu") as cpu, load("onnx-webgpu") as one, load("onnx-webgpu") as other:
    with ThreadPoolExecutor(4) as threads:
        got = list(threads.map(lambda up, frame: up(frame), [one, other] * 2, frames))
    print(np.abs(np.stack(got).astype(int) - cpu(frames)).max())
"""


def test_two_upscalers_in_threads() -> None:
    """In a process of its own: the plug-in ends the one in which two sessions run at once."""
    command = [sys.executable, "-c", _THREADS, "realtime-nano-x4"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) <= 3


def test_auto_does_not_take_software_for_a_gpu(shuffle_model_path: Path) -> None:
    if not onnx_webgpu.is_software(onnx_webgpu.find_gpu(0)):
        pytest.skip("there is a real GPU")
    assert probe_in_child("onnx-webgpu", shuffle_model_path) is None
    with Upscaler.load(shuffle_model_path) as upscale:
        assert upscale.describe()["backend"] != "onnx-webgpu"
        assert "onnx-webgpu not used: a software adapter is not a GPU" in upscale.selection
