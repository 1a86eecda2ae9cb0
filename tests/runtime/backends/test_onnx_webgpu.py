"""WebGPU: what is said where it cannot run. That it runs is tests/webgpu."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends import onnx_webgpu
from framelift.runtime.ort import plugins


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plug-in lies there; whether there is a GPU is another question."""
    monkeypatch.setattr(onnx_webgpu, "plugin_problem", lambda _: None)
    monkeypatch.delenv(onnx_webgpu.SOFTWARE, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")


def test_without_a_gpu(
    installed: None, monkeypatch: pytest.MonkeyPatch, nearest_model_path: Path
) -> None:
    monkeypatch.setattr(Path, "glob", lambda *_: [])
    with pytest.raises(
        BackendError,
        match=(
            r"^onnx-webgpu cannot run on this machine: no GPU \(the system shows none in "
            r"/sys/class/drm\)$"
        ),
    ):
        Upscaler.load(nearest_model_path, "onnx-webgpu")


def test_without_vulkan(installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(Path, "glob", lambda *_: [Path("/sys/class/drm/card0")])
    monkeypatch.setattr(ctypes, "CDLL", no_library)
    reason = "no Vulkan (libvulkan.so.1 is missing): run `apt-get install libvulkan1`"
    assert onnx_webgpu.missing() == reason


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_elsewhere_the_plugin_itself_says_whether_there_is_a_gpu(
    installed: None, monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    assert onnx_webgpu.missing() is None


def test_no_device_is_one_line(installed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(plugins, "devices", lambda _: [])
    with pytest.raises(
        BackendError, match=r"^onnx-webgpu cannot run on this machine: no GPU \(the plug-in"
    ):
        onnx_webgpu.find_gpu(0)


def test_of_several_gpus_the_discrete_one_is_meant(
    installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plug-in takes the fastest and does not tell which."""
    weak = SimpleNamespace(device=SimpleNamespace(metadata={}))
    strong = SimpleNamespace(device=SimpleNamespace(metadata={"Discrete": "1"}))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(plugins, "devices", lambda _: [weak, strong])
    assert onnx_webgpu.find_gpu(0) is strong


@pytest.mark.parametrize(
    ("type_", "vendor", "device", "metadata", "name"),
    [
        ("GPU", 0x1002, 0x73BF, {"card_idx": "0"}, "AMD 1002:73bf"),
        ("GPU", 0x1234, 0x0001, {}, "GPU 1234:0001"),
        ("GPU", 0x106B, 0, {}, "Apple GPU"),
        ("GPU", 0x8086, 0x56A0, {"Description": "Intel Arc A770"}, "Intel Arc A770"),
        ("CPU", 0x1022, 0, {}, "a software adapter"),
    ],
)
def test_a_gpu_is_called_what_the_system_tells(
    type_: str, vendor: int, device: int, metadata: dict[str, str], name: str
) -> None:
    gpu = SimpleNamespace(
        device=SimpleNamespace(
            type=f"OrtHardwareDeviceType.{type_}",
            vendor_id=vendor,
            device_id=device,
            metadata=metadata,
        )
    )
    assert onnx_webgpu.described(gpu) == name
