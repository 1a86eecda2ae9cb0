"""NVIDIA's driver as its Python bindings show it, with made-up GPUs."""

from __future__ import annotations

from types import SimpleNamespace

import pynvml
import pytest

GPU = {
    "Name": "NVIDIA H200",
    "ClockInfo": 1200,
    "MaxClockInfo": 1980,
    "Temperature": 61,
    "UtilizationRates": SimpleNamespace(gpu=97),
    "MemoryInfo": SimpleNamespace(used=4096 << 20, total=143771 << 20),
    "CurrentClocksThrottleReasons": 1,  # idle
}


def simulate(
    monkeypatch: pytest.MonkeyPatch, *gpus: dict[str, object], driver: str = "570.1"
) -> None:
    """Answer as a driver with these GPUs; what a GPU lacks, or has as None, it does not tell."""
    answers = [GPU | gpu for gpu in gpus]

    def asked(name: str, gpu: dict[str, object], *more: object, **options: object) -> object:
        if gpu.get(name) is None:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return gpu[name]

    def by_uuid(uuid: str) -> dict[str, object]:
        for gpu in answers:
            if gpu.get("UUID") == uuid:
                return gpu
        raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)

    for name in GPU:
        monkeypatch.setattr(
            pynvml, f"nvmlDeviceGet{name}", lambda gpu, *a, name=name, **k: asked(name, gpu, *a)
        )
    monkeypatch.setattr(pynvml, "nvmlInit", lambda: None)
    monkeypatch.setattr(pynvml, "nvmlSystemGetDriverVersion", lambda: driver)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetCount", lambda: len(answers))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", lambda index: answers[index])
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", by_uuid)


def remove(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver."""

    def init() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", init)
