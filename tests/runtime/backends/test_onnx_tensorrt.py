"""ONNX Runtime's TensorRT provider: what is said where it cannot run, and one run where it can."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends import onnx_tensorrt
from framelift.runtime.backends.onnx_tensorrt import PROVIDER, OnnxTensorrtSession
from framelift.runtime.backends.select import BACKENDS
from framelift.runtime.backends.trial import trial
from framelift.runtime.doctor import Status, diagnose
from framelift.runtime.machine import nvidia
from framelift.runtime.models.file import read_spec

from ...support.elf import write_library


class Machine:
    """A made-up machine with a GPU: what is installed on it and what its loader finds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.provider = folder / "libonnxruntime_providers_tensorrt.so"
        write_library(self.provider, ["libnvinfer.so.10", "libnvonnxparser.so.10"])
        self.pip_folder = folder / "tensorrt_libs"
        self.tensorrt: str | None = None
        self.loadable: set[str] = set()
        self.loaded: list[str] = []
        find_spec, version = importlib.util.find_spec, importlib.metadata.version

        def fake_spec(name: str, package: str | None = None) -> ModuleSpec | None:
            if name != "tensorrt_libs":
                return find_spec(name, package)
            if not self.pip_folder.is_dir():
                return None
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(self.pip_folder)]
            return spec

        def fake_version(name: str) -> str:
            if name != "tensorrt":
                return version(name)
            if self.tensorrt is None:
                raise importlib.metadata.PackageNotFoundError(name)
            return self.tensorrt

        def load(name: str) -> SimpleNamespace:
            if name not in self.loadable and not Path(name).is_file():
                raise OSError(f"{name}: cannot open shared object file: No such file or directory")
            self.loaded.append(Path(name).name)
            return SimpleNamespace(getInferLibVersion=lambda: 101601)

        monkeypatch.setattr(nvidia, "device_nodes", lambda: [Path("/dev/nvidia0")])
        monkeypatch.setattr(onnx_tensorrt, "provider_library", lambda name: self.provider)
        monkeypatch.setattr("framelift.runtime.backends.onnx_gpu.driver_problem", lambda _: None)
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [PROVIDER])
        monkeypatch.setattr(importlib.util, "find_spec", fake_spec)
        monkeypatch.setattr(importlib.metadata, "version", fake_version)
        monkeypatch.setattr(ctypes, "CDLL", load)
        monkeypatch.setattr("framelift.runtime.gpu.cuda_python.has_cuda_python", lambda: False)

    def install_with_pip(self) -> None:
        self.pip_folder.mkdir()
        for name in ("libnvinfer.so.10", "libnvonnxparser.so.10"):
            (self.pip_folder / name).touch()


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    return Machine(monkeypatch, tmp_path)


def test_it_stands_between_tensorrt_and_cuda() -> None:
    names = list(BACKENDS)
    assert names.index("tensorrt") < names.index("onnx-tensorrt") < names.index("onnx-cuda")


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path) -> None:
    monkeypatch.setattr(nvidia, "device_nodes", list)
    with pytest.raises(
        BackendError, match=r"onnx-tensorrt cannot run on this machine: no NVIDIA GPU"
    ):
        Upscaler.load(nearest_model_path, "onnx-tensorrt")


def test_without_its_package(machine: Machine) -> None:
    machine.provider.unlink()
    assert "no onnxruntime-gpu with a TensorRT provider" in str(onnx_tensorrt.missing())
    assert 'pip install "framelift[cuda]"' in str(onnx_tensorrt.missing())


@pytest.mark.parametrize(
    ("tensorrt", "state", "command"),
    [
        (None, "which is not installed", "pip install"),
        ("11.4.0.106", "but TensorRT 11.4.0.106 is installed", "pip install"),
        ("10.16.1.11", "which is missing", "pip install --force-reinstall"),
    ],
)
def test_without_the_tensorrt_that_it_is_linked_with(
    machine: Machine, nearest_model_path: Path, tensorrt: str | None, state: str, command: str
) -> None:
    machine.tensorrt = tensorrt
    machine.loadable = {"libnvinfer.so.11"}
    line = (
        f"onnxruntime-gpu needs TensorRT 10 (libnvinfer.so.10), {state}: "
        f'run `{command} "tensorrt>=10,<11"`'
    )
    assert onnx_tensorrt.missing() == line
    with pytest.raises(BackendError) as caught:
        OnnxTensorrtSession(read_spec(nearest_model_path))
    assert str(caught.value) == f"onnx-tensorrt cannot run on this machine: {line}"


def test_the_doctor_shows_it(machine: Machine, nearest_model_path: Path) -> None:
    machine.tensorrt = "11.4.0.106"
    found = {check.name: check for check in diagnose(nearest_model_path).backends}
    assert found["onnx-tensorrt"].status is Status.ABSENT
    assert 'run `pip install "tensorrt>=10,<11"`' in found["onnx-tensorrt"].detail


def test_tensorrt_is_found_where_pip_or_the_system_put_it(machine: Machine) -> None:
    machine.loadable = {"libnvinfer.so.10", "libnvonnxparser.so.10"}
    assert onnx_tensorrt.missing() is None
    machine.loadable = set()
    machine.install_with_pip()
    machine.loaded.clear()
    assert onnx_tensorrt.missing() is None
    assert machine.loaded == []  # hundreds of megabytes, for which a look must suffice
    assert onnx_tensorrt.load_tensorrt(10) == "10.16.1"
    assert machine.loaded == ["libnvinfer.so.10", "libnvonnxparser.so.10"]
    (machine.pip_folder / "libnvonnxparser.so.10").unlink()
    with pytest.raises(BackendError, match=r"libnvonnxparser.so.10: cannot open .* missing: run"):
        onnx_tensorrt.load_tensorrt(10)


def test_engines_are_kept_apart_by_all_that_changes_them(
    machine: Machine, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = ["NVIDIA H100 80GB HBM3", "590", "1.31.1", "10.16.1"]
    folder = onnx_tensorrt.cache_path(*facts)
    assert folder.parent == tmp_path / "cache" / "onnx-tensorrt"
    assert folder.name == "NVIDIA_H100_80GB_HBM3-590-onnxruntime1.31.1-trt10.16.1"
    for number in range(4):
        changed = [*facts]
        changed[number] = "2"
        assert onnx_tensorrt.cache_path(*changed) != folder
    options = onnx_tensorrt.cache_options(folder, "ab" * 32)
    assert options == {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(folder / "abababababababab"),
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": str(folder),
    }
    assert (folder / "abababababababab").is_dir()
    blocked = tmp_path / "file"
    blocked.touch()
    assert onnx_tensorrt.cache_options(blocked, "ab" * 32) == {}
    assert "engines cannot be stored" in capsys.readouterr().err


def test_the_session_takes_tensorrt_alone(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    machine.install_with_pip()
    asked: list[object] = []

    def refuse(
        model: bytes,
        options: onnxruntime.SessionOptions,
        providers: object,
        enable_fallback: int,
    ) -> None:
        key = "session.disable_cpu_ep_fallback"
        asked.extend((options.get_session_config_entry(key), providers))
        raise RuntimeError("Engine building failed\nstack")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(
        BackendError, match=r"^onnx-tensorrt cannot load the model: Engine building failed$"
    ):
        OnnxTensorrtSession(read_spec(nearest_model_path))
    fallback, providers = asked
    assert fallback == "1"
    assert isinstance(providers, list)
    ((provider, options),) = providers
    assert provider == PROVIDER
    assert options["device_id"] == "0"
    assert Path(options["trt_engine_cache_path"]).is_dir()


def test_the_trial_starts_the_provider_on_open_sizes_and_builds_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path, tmp_path: Path
) -> None:
    machine.install_with_pip()
    opened: list[str] = []
    taken: list[tuple[int, str, int]] = []
    real = onnxruntime.InferenceSession

    def session(
        model: bytes,
        options: onnxruntime.SessionOptions,
        providers: list[tuple[str, dict[str, str]]],
        enable_fallback: int,
    ) -> onnxruntime.InferenceSession:
        ((provider, provider_options),) = providers
        assert provider_options == {"device_id": "1"}
        session = real(model, providers=["CPUExecutionProvider"])
        opened.extend(map(str, session.get_inputs()[0].shape))
        monkeypatch.setattr(session, "get_providers", lambda: [provider])
        monkeypatch.setattr(session, "get_provider_graph_assignment_info", list)
        return session

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(
        onnxruntime.OrtValue,
        "ortvalue_from_numpy",
        lambda values, kind, device: taken.append((values.nbytes, kind, device)),
    )
    assert trial("onnx-tensorrt", nearest_model_path, 1) is None
    assert opened == ["n", "3", "h", "w"]
    assert taken == [(1 << 20, "cuda", 1)]
    assert not (tmp_path / "cache").exists()


def test_a_trial_that_fails_says_why_and_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    machine.install_with_pip()

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA failure 35: CUDA driver version is insufficient")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    said = str(trial("onnx-tensorrt", nearest_model_path))
    assert said.startswith("onnx-tensorrt cannot load the model: ")
    assert "CUDA failure 35: CUDA driver version is insufficient" in said
    assert said.endswith("update the driver)")


def test_nodes_on_another_provider_are_refused(
    monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    monkeypatch.setattr(
        onnxruntime.InferenceSession,
        "get_provider_graph_assignment_info",
        lambda session: [
            SimpleNamespace(ep_name="CPUExecutionProvider"),
            SimpleNamespace(
                ep_name="X",
                get_nodes=lambda: [SimpleNamespace(op_type=name) for name in ("Pad", "Abs", "Pad")],
            ),
        ],
    )
    with pytest.raises(BackendError, match=r"onnx-cpu would run nodes on X \(Abs, Pad\)$"):
        Upscaler.load(nearest_model_path, "onnx-cpu")


@pytest.mark.gpu
def test_it_gives_what_the_cpu_gives(
    shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reason = onnx_tensorrt.missing()
    if reason is not None:  # TensorRT 11, which the backend `tensorrt` takes, excludes it
        pytest.skip(reason)
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    frame = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as cpu:
        expected = cpu(frame).astype(np.int16)
    with Upscaler.load(shuffle_model_path, "onnx-tensorrt") as tensorrt:
        assert tensorrt.describe()["provider"] == PROVIDER
        difference = np.abs(tensorrt(frame) - expected)
    # Another order of summation may move a value over a rounding edge.
    assert (difference <= 1).mean() >= 0.999
    assert list(tmp_path.rglob("*.engine"))
