from __future__ import annotations

import re
import signal
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from framelift.common.errors import BackendError, ConfigError
from framelift.runtime import ModelSpec, Upscaler
from framelift.runtime.backends import onnx_gpu, select
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.backends.probe import probe_in_child
from framelift.runtime.backends.select import BACKENDS, Backend
from framelift.runtime.backends.trial import trial
from framelift.runtime.machine import nvidia
from framelift.runtime.ort.library import load_onnxruntime
from framelift.runtime.session.protocol import Session


def _put_first(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    backends = {backend.name: backend, "onnx-cpu": BACKENDS["onnx-cpu"]}
    monkeypatch.setattr(select, "BACKENDS", backends)


def _refuse(spec: ModelSpec, threads: int | None, device: int) -> Session:
    raise BackendError("fast cannot load the model: no such kernel")


def _cpu(spec: ModelSpec, threads: int | None, device: int) -> Session:
    session = OnnxCpuSession(spec, threads)
    session.name, session.device = "fast", f"GPU {device}"
    return session


def test_auto_takes_the_best_that_works(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: None, _cpu, needs_trial=False))
    with Upscaler.load(nearest_model_path) as upscale:
        assert upscale.selection.startswith("using fast (CPUExecutionProvider on ")
        assert " not used: " not in upscale.selection


def test_the_best_comes_first() -> None:
    """NVIDIA's own engines, then ONNX Runtime on NVIDIA's GPUs, then any GPU."""
    assert list(BACKENDS) == [
        "tensorrt",
        "tensorrt-rtx",
        "onnx-tensorrt",
        "onnx-cuda",
        "onnx-webgpu",
        "onnx-cpu",
    ]


def test_auto_says_why_a_better_one_is_missing(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: "no such device", _cpu, needs_trial=False))
    with Upscaler.load(nearest_model_path) as upscale:
        assert upscale.describe()["backend"] == "onnx-cpu"
        assert upscale.selection.startswith("using onnx-cpu (CPUExecutionProvider on ")
        assert upscale.selection.endswith("; fast not used: no such device")


def test_auto_goes_on_when_a_better_one_refuses_the_model(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: None, _refuse, needs_trial=False))
    with Upscaler.load(nearest_model_path) as upscale:
        assert upscale.selection.endswith(
            "fast not used: fast cannot load the model: no such kernel"
        )


def test_auto_tries_a_risky_backend_in_a_child(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: None, _cpu, needs_trial=True))
    monkeypatch.setattr(select, "probe_in_child", lambda *_: "its trial run crashed")
    with Upscaler.load(nearest_model_path) as upscale:
        assert upscale.selection.endswith("fast not used: its trial run crashed")


def test_auto_without_any_working_backend(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    only = Backend("fast", lambda: "no such device", _cpu, needs_trial=False)
    monkeypatch.setattr(select, "BACKENDS", {"fast": only})
    with pytest.raises(BackendError, match=r"no backend can run.*fast not used: no such device"):
        Upscaler.load(nearest_model_path)


@pytest.mark.parametrize(("missing", "on_cpu"), [(None, False), ("no such device", True)])
def test_what_will_run_on_the_processor(
    monkeypatch: pytest.MonkeyPatch, missing: str | None, on_cpu: bool
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: missing, _cpu, needs_trial=True))
    assert select.runs_on_cpu("auto") == on_cpu
    assert select.runs_on_cpu("onnx-cpu")
    assert not select.runs_on_cpu("fast")


def test_named_backend_gets_it_and_says_nothing(nearest_model_path: Path) -> None:
    with Upscaler.load(nearest_model_path, "onnx-cpu") as upscale:
        assert upscale.selection == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "onnx-gpu",
            r"'onnx-gpu'.*auto, tensorrt, tensorrt-rtx, onnx-tensorrt, onnx-cuda, onnx-webgpu, ",
        ),
        ("onnx-cdua", r"did you mean onnx-cuda\?"),
        ("Auto", r"did you mean auto\?"),
        ("", "unknown backend ''"),
    ],
)
def test_unknown_backend(nearest_model_path: Path, name: str, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        Upscaler.load(nearest_model_path, name)


def test_model_that_the_engine_refuses(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    next(n for n in model.graph.node if n.op_type == "Relu").op_type = "NoSuchOperator"
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with pytest.raises(BackendError, match="onnx-cpu cannot load the model") as caught:
        Upscaler.load(path, "onnx-cpu")
    assert "\n" not in str(caught.value)


def test_engine_failure_at_run_time(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    bad = next(t for t in model.graph.initializer if t.name == "repeat")
    bad.CopyFrom(onnx.numpy_helper.from_array(np.ones((48, 3, 2, 2), np.float32), "repeat"))
    conv = next(n for n in model.graph.node if "repeat" in n.input)
    del conv.attribute[:]
    path = tiny_models.save(model, tmp_path / "m.onnx")
    with (
        Upscaler.load(path, "onnx-cpu") as upscale,
        pytest.raises(BackendError, match="onnx-cpu failed: "),
    ):
        upscale(np.zeros((6, 6, 3), np.uint8))


def test_cuda_without_a_gpu(monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path) -> None:
    monkeypatch.setattr(nvidia, "device_nodes", list)
    with pytest.raises(BackendError, match=r"onnx-cuda cannot run on this machine: no NVIDIA GPU"):
        Upscaler.load(nearest_model_path, "onnx-cuda")


def test_cuda_without_its_package(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    if "CUDAExecutionProvider" in load_onnxruntime().get_available_providers():
        pytest.skip("onnxruntime-gpu is installed")
    monkeypatch.setattr(nvidia, "device_nodes", lambda: [Path("/dev/nvidia0")])
    with pytest.raises(BackendError, match=r'is not installed.*pip install "framelift\[cuda\]"'):
        Upscaler.load(nearest_model_path, "onnx-cuda")


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("CUDA failure 35: CUDA driver version is insufficient", "update the driver"),
        ("CUDA failure 100: no CUDA-capable device is detected", "CUDA_VISIBLE_DEVICES"),
        ("libcuda.so.1: cannot open shared object file", "comes with the NVIDIA driver"),
        ("libcudnn.so.9: cannot open shared object file", "libraries are missing"),
        ("something else", "^$"),
    ],
)
def test_cuda_errors_name_the_cure(message: str, advice: str) -> None:
    assert re.search(advice, onnx_gpu.advice(message))


def test_a_provider_that_fails_is_an_error_and_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], nearest_model_path: Path
) -> None:
    """ONNX Runtime's Python code prints to standard output and takes the CPU's provider instead."""
    session = load_onnxruntime().InferenceSession

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(
            "/onnxruntime_src/cuda_call.cc:154 CudaCall(ERRTYPE) CUDA failure 35: CUDA driver "
            "version is insufficient ; GPU=-1 ; hostname=here ; file=/onnxruntime_src/a.cc\nstack"
        )

    monkeypatch.setattr(session, "_create_inference_session", fail)
    with pytest.raises(
        BackendError, match=r"^onnx-cpu cannot load the model: CUDA failure 35: .* insufficient$"
    ):
        Upscaler.load(nearest_model_path, "onnx-cpu")
    assert capsys.readouterr() == ("", "")


def test_a_session_on_another_provider_is_refused(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    session = load_onnxruntime().InferenceSession
    monkeypatch.setattr(session, "get_providers", lambda _: ["AzureExecutionProvider"])
    with pytest.raises(
        BackendError, match=r"^onnx-cpu would run on AzureExecutionProvider, not on CPUExec"
    ):
        Upscaler.load(nearest_model_path, "onnx-cpu")


def test_trial_runs_a_frame(shuffle_model_path: Path, tmp_path: Path) -> None:
    assert trial("onnx-cpu", shuffle_model_path) is None
    assert "no such file" in str(trial("onnx-cpu", tmp_path / "m.onnx"))


def test_trial_of_a_fixed_size_model(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(2, 8, "w"))
    assert trial("onnx-cpu", tiny_models.save(model, tmp_path / "m.onnx")) is None


def test_child_reports_success_and_reason(shuffle_model_path: Path) -> None:
    assert probe_in_child("onnx-cpu", shuffle_model_path) is None
    assert "unknown backend 'none'" in str(probe_in_child("none", shuffle_model_path))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell script as the child")
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (f"kill -{signal.SIGSEGV.value} $$", r"its trial run crashed (SIGSEGV)"),
        ("echo boom >&2; exit 3", "its trial run failed: boom"),
        ("exit 3", "its trial run failed: exit code 3"),
        ("exec sleep 30", "its trial run did not end within 0.3 s"),
    ],
)
def test_child_that_breaks_leaves_this_process_alive(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, reason: str
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    found = probe_in_child("onnx-cpu", tmp_path / "m.onnx", timeout_seconds=0.3)
    assert found == reason


def test_child_that_cannot_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))
    assert "could not be started" in str(probe_in_child("onnx-cpu", tmp_path / "m.onnx"))


def test_a_gpu_that_is_asked_for_is_not_replaced_by_the_processor(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: "no such device", _cpu, needs_trial=True))
    with pytest.raises(
        BackendError,
        match=(
            r"^no backend of GPU 1 can run this model on this machine: fast not used: no "
            r"such device$"
        ),
    ):
        Upscaler.load(nearest_model_path, device=1)


def test_the_number_of_the_gpu_reaches_the_trial_and_the_backend(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: None, _cpu, needs_trial=True))
    tried: list[int] = []
    monkeypatch.setattr(select, "probe_in_child", lambda *args: tried.append(args[2]))
    with Upscaler.load(nearest_model_path, device=2) as upscale:
        assert upscale.describe()["device"] == "GPU 2"
    with Upscaler.load(nearest_model_path, "fast") as upscale:
        assert upscale.describe()["device"] == "GPU 0"
    assert tried == [2]


@pytest.mark.parametrize(
    ("backend", "device", "message"),
    [
        ("onnx-cpu", 0, "device 0 is a GPU, and onnx-cpu runs on the CPU: leave one out"),
        ("auto", -1, "device -1: GPUs are numbered from 0"),
    ],
)
def test_devices_that_make_no_sense(
    nearest_model_path: Path, backend: str, device: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{message}$"):
        Upscaler.load(nearest_model_path, backend, device=device)


@pytest.mark.parametrize(("missing", "runs"), [(None, "gpu"), ("no such device", "cpu")])
def test_another_file_can_be_for_the_processor(
    monkeypatch: pytest.MonkeyPatch,
    nearest_model_path: Path,
    shuffle_model_path: Path,
    missing: str | None,
    runs: str,
) -> None:
    _put_first(monkeypatch, Backend("fast", lambda: missing, _cpu, needs_trial=True))
    monkeypatch.setattr(select, "probe_in_child", lambda *_: None)
    files = {"gpu": nearest_model_path, "cpu": shuffle_model_path}
    with Upscaler.load(files["gpu"], cpu_model=files["cpu"]) as upscale:
        assert upscale.spec.path == files[runs]
        assert upscale.describe()["model"] == files[runs].stem
    with Upscaler.load(files["gpu"], "onnx-cpu", cpu_model=files["cpu"]) as upscale:
        assert upscale.spec.path == files["cpu"]


def test_backends_with_one_reason_are_named_together(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    none = [Backend(name, lambda: "no GPU", _cpu, needs_trial=True) for name in "abc"]
    other = Backend("d", lambda: "not installed", _cpu, needs_trial=True)
    backends = {backend.name: backend for backend in (*none, other, BACKENDS["onnx-cpu"])}
    monkeypatch.setattr(select, "BACKENDS", backends)
    with Upscaler.load(nearest_model_path) as upscale:
        assert upscale.selection.endswith(
            "; a, b and c not used: no GPU; d not used: not installed"
        )
