"""The backend onnx-cuda is opened: what it asks for, and what is missing, in one line."""

from __future__ import annotations

import ctypes
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError
from framelift.runtime.backends import onnx_gpu
from framelift.runtime.backends.onnx_cuda import OnnxCudaSession, provider_options
from framelift.runtime.machine import nvidia
from framelift.runtime.models.file import ModelSpec

from ...support.elf import write_library
from ...support.frames import noise, run, upscaled

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu
    from tests.support.simulated_ort import Sessions

Frames = NDArray[np.uint8]


@pytest.mark.parametrize(("precision", "nhwc"), [("fp32", "0"), ("fp16", "1"), ("int8", "0")])
def test_channels_last_are_for_half_precision(precision: str, nhwc: str) -> None:
    assert provider_options(precision) == {"use_tf32": "0", "prefer_nhwc": nhwc}


def test_without_cuda_python_the_provider_copies_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch,
    simulated_ort: ModuleType,
    gpu: Gpu,
    spec: ModelSpec,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sessions = simulated_ort.install(monkeypatch, gpu, cuda_python=False)
    session = OnnxCudaSession(spec)
    assert capsys.readouterr().err == (
        "framelift: onnx-cuda: no pinned memory, overlapping copies or CUDA graphs (cuda-python is "
        "not installed: run `pip install 'cuda-python>=13'`)\n"
    )
    frames = noise(3, 9, 7)
    assert np.array_equal(run(session, frames), upscaled(frames))
    assert sessions.runs == ["host"]
    assert session.describe()["copies"] == "within the call"
    assert "cuda_graph" not in session.describe()
    assert session.stage_seconds == {}
    session.close()


def test_no_device_for_cuda_is_one_line(
    monkeypatch: pytest.MonkeyPatch, sessions: Sessions, spec: ModelSpec
) -> None:
    from cuda.bindings import runtime

    error = runtime.cudaError_t.cudaErrorNoDevice
    monkeypatch.setattr(runtime, "cudaStreamCreateWithFlags", lambda flags: (error, None))
    with pytest.raises(
        BackendError, match=r"^onnx-cuda cannot run on this machine: .* shows no GPU: check"
    ):
        OnnxCudaSession(spec)


def test_the_tensorrt_provider_shares_the_streams_but_records_no_graphs(
    monkeypatch: pytest.MonkeyPatch,
    simulated_ort: ModuleType,
    gpu: Gpu,
    spec: ModelSpec,
    tmp_path: Path,
) -> None:
    from framelift.runtime.backends import onnx_tensorrt

    sessions = simulated_ort.install(monkeypatch, gpu, onnx_tensorrt.PROVIDER)
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path))
    monkeypatch.setattr(onnx_tensorrt, "linked_major", lambda *_: 10)
    monkeypatch.setattr(onnx_tensorrt, "library_problem", lambda _: None)
    monkeypatch.setattr(onnx_tensorrt, "load_tensorrt", lambda _: "10.16.1")
    session = onnx_tensorrt.OnnxTensorrtSession(spec)
    for seed in range(3):
        frames = noise(4, 9, 7, seed=seed)
        out = np.empty((4, 36, 28, 3), np.uint8)
        session.run(frames, out)
        assert np.array_equal(out, upscaled(frames))
    assert set(sessions.runs) == {"plain"}
    assert "enable_cuda_graph" not in sessions.options[0]
    assert "user_compute_stream" in sessions.options[0]
    assert session.describe()["cuda_graph"] == (
        "no: this provider records one only, whatever the size"
    )
    session.close()
    assert not gpu.live


def test_a_library_that_the_provider_lacks_is_named_with_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, sessions: Sessions, spec: ModelSpec, tmp_path: Path
) -> None:
    """ONNX Runtime says only that nodes would fall to the CPU, and logs the rest."""
    library = write_library(tmp_path / "libonnxruntime_providers_cuda.so", ["libcublasLt.so.999"])
    monkeypatch.setattr(onnx_gpu, "provider_library", lambda name: library)
    with pytest.raises(BackendError) as caught:
        OnnxCudaSession(spec)
    assert str(caught.value).startswith(
        "onnx-cuda cannot run on this machine: libcublasLt.so.999: cannot open shared object "
        "file: No such "
        "file or directory (CUDA or cuDNN libraries are missing: run `pip uninstall"
    )
    assert not sessions.options
    assert not sessions.gpu.live


@pytest.mark.parametrize(
    ("status", "version", "expected"),
    [
        (100, 0, "no CUDA-capable device is detected (the driver shows no GPU: check nvidia-smi"),
        (0, 12080, "CUDA driver version is insufficient: it is for CUDA 12, not 13 (the NVIDIA dr"),
        (0, 13000, ""),
    ],
)
def test_a_driver_that_does_not_start_is_said_before_onnx_runtime_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    sessions: Sessions,
    spec: ModelSpec,
    tmp_path: Path,
    status: int,
    version: int,
    expected: str,
) -> None:
    class Driver:
        """libcuda, as far as it is called."""

        def cuInit(self, flags: int) -> int:  # noqa: N802
            return status

        def cuGetErrorString(self, code: int, words: Any) -> int:  # noqa: ANN401, N802
            words._obj.value = b"no CUDA-capable device is detected"
            return 0

        def cuDriverGetVersion(self, number: Any) -> int:  # noqa: ANN401, N802
            number._obj.value = version
            return 0

    library = write_library(tmp_path / "a.so", ["libcudart.so.13"])
    monkeypatch.setattr(onnx_gpu, "driver_problem", nvidia.driver_problem)
    monkeypatch.setattr(onnx_gpu, "provider_library", lambda name: library)
    monkeypatch.setattr(ctypes, "CDLL", lambda name: Driver())
    if not expected:
        OnnxCudaSession(spec).close()
        return
    with pytest.raises(BackendError) as caught:
        OnnxCudaSession(spec)
    assert str(caught.value).startswith(f"onnx-cuda cannot run on this machine: {expected}")
    assert not sessions.options


def test_onnx_runtime_s_log_is_left_as_it_is(
    monkeypatch: pytest.MonkeyPatch, sessions: Sessions, spec: ModelSpec
) -> None:
    """Its level belongs to the process, and to who sets it there."""

    def forbidden(level: int) -> None:
        raise AssertionError(f"the level of the process's log became {level}")

    monkeypatch.setattr(onnxruntime, "set_default_logger_severity", forbidden)
    OnnxCudaSession(spec).close()
