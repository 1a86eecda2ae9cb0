"""NVIDIA's GPUs as their driver describes them through NVML, in the order that programs see."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pynvml as nvml

# Power cap, hardware slowdown, heat (by software, by hardware), power brake: bits of NVML.
_SLOWED_DOWN = 0x04 | 0x08 | 0x20 | 0x40 | 0x80


def gpu_names() -> tuple[str, ...]:
    """Name, release of the driver and size of the memory of each GPU."""
    try:
        return tuple(
            f"{nvml.nvmlDeviceGetName(gpu)}, {nvml.nvmlSystemGetDriverVersion()}, "
            f"{_memory(gpu).total >> 20} MiB"
            for gpu in _visible()
        )
    except nvml.NVMLError:
        return ()


def device_memory_used() -> int | None:
    """Bytes of the first GPU's memory in use by all programs, or None where none can be read."""
    try:
        return int(_memory(gpus[0]).used) if (gpus := _visible()) else None
    except nvml.NVMLError:
        return None


def gpu_state() -> dict[str, float] | None:
    """Clocks in MHz, temperature in °C, load in %, memory in MiB of the first GPU, and in
    `slowed_down` 1 while heat or a power limit lowers the clocks, else 0; what it does not report
    is left out. None where there is no GPU.
    """
    if not (gpus := _visible()):
        return None
    gpu = gpus[0]
    questions: dict[str, Callable[[], float]] = {
        "sm_mhz": lambda: nvml.nvmlDeviceGetClockInfo(gpu, nvml.NVML_CLOCK_SM),
        "max_sm_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(gpu, nvml.NVML_CLOCK_SM),
        "temperature_c": lambda: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
        "load_percent": lambda: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu,
        "memory_mib": lambda: _memory(gpu).used / 2**20,
        "slowed_down": lambda: bool(
            nvml.nvmlDeviceGetCurrentClocksThrottleReasons(gpu) & _SLOWED_DOWN
        ),
    }
    state = {}
    for name, question in questions.items():
        with suppress(nvml.NVMLError):  # not every GPU reports everything
            state[name] = float(question())
    return state


def _visible() -> list[Any]:
    """NVML's handles; none where there is no GPU or no driver."""
    try:
        nvml.nvmlInit()
        # NVML knows all GPUs, programs begin to count at the first one of these.
        named = os.environ.get("CUDA_VISIBLE_DEVICES", "").replace(" ", "")
        chosen = named.split(",") if named else map(str, range(nvml.nvmlDeviceGetCount()))
        return [_handle(name) for name in chosen]
    except nvml.NVMLError:
        return []


def _handle(name: str) -> Any:  # noqa: ANN401 - NVML's handle
    if name.isdecimal():
        return nvml.nvmlDeviceGetHandleByIndex(int(name))
    return nvml.nvmlDeviceGetHandleByUUID(name)


def _memory(gpu: Any) -> Any:  # noqa: ANN401 - NVML's handle and answer
    try:  # without what the driver keeps for itself, as nvidia-smi shows it
        return nvml.nvmlDeviceGetMemoryInfo(gpu, version=nvml.nvmlMemory_v2)
    except nvml.NVMLError:  # a driver before release 510
        return nvml.nvmlDeviceGetMemoryInfo(gpu)
