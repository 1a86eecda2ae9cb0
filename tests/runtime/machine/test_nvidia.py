"""Why there is no NVIDIA GPU, on each system in its own words."""

from __future__ import annotations

import ctypes.util
import sys
from pathlib import Path

import pytest

from framelift.runtime.backends import onnx_cuda, onnx_tensorrt, tensorrt, tensorrt_rtx
from framelift.runtime.machine import nvidia


@pytest.mark.parametrize(
    ("system", "reason"),
    [
        ("linux", "no NVIDIA GPU (/dev/nvidia0 is missing)"),
        ("win32", "no NVIDIA driver (nvcuda.dll is missing)"),
        ("darwin", "macOS has no driver for NVIDIA GPUs"),
    ],
)
def test_each_system_has_its_own_reason(
    system: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "device_nodes", list)
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    monkeypatch.setattr(sys, "platform", system)
    for missing in (m.missing for m in (onnx_cuda, onnx_tensorrt, tensorrt, tensorrt_rtx)):
        assert missing() == reason


@pytest.mark.parametrize("system", ["linux", "win32"])
def test_a_driver_is_found(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "device_nodes", lambda: [Path("/dev/nvidia0")])
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: f"C:\\Windows\\System32\\{name}")
    monkeypatch.setattr(sys, "platform", system)
    assert nvidia.gpu_problem() is None


def test_a_gpu_is_called_by_its_number_where_the_driver_does_not_name_it() -> None:
    assert nvidia.device_name(7) == "CUDA device 7"
