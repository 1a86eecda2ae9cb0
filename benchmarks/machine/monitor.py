"""What the machine was like during a measurement: clocks, load, other programs, stolen time."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

from ..shared.fields import Part
from .facts import query_gpus

_EVERY_SECONDS = 0.25
_GPU_EVERY_SECONDS = 2.0
_GPU_FIELDS = {
    "clocks.sm": "sm_mhz",
    "clocks.max.sm": "max_sm_mhz",
    "temperature.gpu": "temperature_c",
    "utilization.gpu": "load_percent",
    "memory.used": "memory_mib",
}
# Newer drivers call it clocks_event_reasons and still know this name.
_REASONS = "clocks_throttle_reasons.active"
# Power cap, hardware slowdown, heat (by software, by hardware), power brake: bits of NVML.
_SLOWED_DOWN = 0x04 | 0x08 | 0x20 | 0x40 | 0x80

_MAX_OTHERS = 0.10
_MAX_STOLEN = 0.02
_MIN_CLOCK = 0.90


class Range(Part):
    """Of what was seen during the run."""

    min: float
    median: float
    max: float


class Conditions(Part):
    """During the run. load_share: of all processors' time, used by any program, this one included;
    others_share: by other programs; stolen_share: taken by the host of a virtual machine. gpu:
    clocks in MHz, temperature in °C, load in %, memory in MiB; slowed_down is 1 while heat or a
    power limit lowers the clocks.
    """

    cpu_mhz: Range | None
    gpu: dict[str, Range] | None
    others_share: float | None
    stolen_share: float | None
    load_share: float | None


@dataclass(frozen=True)
class CpuTimes:
    """Seconds of all processors together since boot: in all, idle, and taken by the hypervisor."""

    total: float
    idle: float
    stolen: float


def cpu_times() -> CpuTimes | None:
    """Read /proc/stat; None where there is none."""
    try:
        line = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0]
        ticks = [int(value) / os.sysconf("SC_CLK_TCK") for value in line.split()[1:9]]
    except (OSError, ValueError, AttributeError):
        return None
    if len(ticks) < 8:
        return None
    return CpuTimes(sum(ticks), ticks[3] + ticks[4], ticks[7])


def clock_mhz(root: Path = Path("/")) -> float | None:
    """Mean clock of the processors now, in MHz; None where the system does not tell."""
    try:
        text = (root / "proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    clocks = [
        float(line.partition(":")[2]) for line in text.splitlines() if line.startswith("cpu MHz")
    ]
    if not clocks:  # ARM tells it elsewhere, in kHz
        for path in (root / "sys/devices/system/cpu").glob("cpu*/cpufreq/scaling_cur_freq"):
            with suppress(OSError, ValueError):
                clocks.append(int(path.read_text(encoding="ascii")) / 1000)
    return sum(clocks) / len(clocks) if clocks else None


def gpu_state() -> dict[str, float] | None:
    """Clocks in MHz, temperature in °C, load in %, memory in MiB of the first GPU, and in
    `slowed_down` 1 while heat or a power limit lowers the clocks, else 0; what it does not tell is
    left out. None where there is no GPU.
    """
    answer = query_gpus(",".join((*_GPU_FIELDS, _REASONS)), "nounits")
    if not answer:  # a field that the driver does not know fails the whole query
        answer = query_gpus(",".join(_GPU_FIELDS), "nounits")
    if not answer:
        return None
    state: dict[str, float] = {}
    *values, reasons = (*answer[0].split(","), "")[: len(_GPU_FIELDS) + 1]
    for name, value in zip(_GPU_FIELDS.values(), values, strict=False):
        with suppress(ValueError):  # such as [N/A]
            state[name] = float(value)
    with suppress(ValueError):
        state["slowed_down"] = float(bool(int(reasons, 16) & _SLOWED_DOWN))
    return state


class Monitor:
    """Call `sample` now and then between timed calls, then `report`."""

    def __init__(
        self,
        gpu: bool = False,
        *,
        times: Callable[[], CpuTimes | None] = cpu_times,
        clock: Callable[[], float | None] = clock_mhz,
        own: Callable[[], float] = lambda: sum(os.times()[:4]),
        now: Callable[[], float] = perf_counter,
    ) -> None:
        self._times, self._clock, self._own, self._now = times, clock, own, now
        self._gpu_wanted = gpu
        self._start, self._own_start = times(), own()
        self._next = self._next_gpu = now()
        self._clocks: list[float] = []
        self._gpu: list[dict[str, float]] = []

    def sample(self) -> None:
        """Read the clocks, unless they were read a moment ago."""
        now = self._now()
        if now >= self._next:
            self._next = now + _EVERY_SECONDS
            if (mhz := self._clock()) is not None:
                self._clocks.append(mhz)
        if self._gpu_wanted and now >= self._next_gpu:
            self._next_gpu = now + _GPU_EVERY_SECONDS
            if (state := gpu_state()) is not None:
                self._gpu.append(state)

    def report(self) -> Conditions:
        """What the machine was like since the start; None is unknown."""
        gpu: dict[str, list[float]] = {}
        for name, value in (item for state in self._gpu for item in state.items()):
            gpu.setdefault(name, []).append(value)
        return Conditions(
            cpu_mhz=_range(self._clocks) if self._clocks else None,
            gpu={name: _range(values) for name, values in gpu.items()} or None,
            **self._shares(),
        )

    def _shares(self) -> dict[str, float | None]:
        end = self._times()
        if self._start is None or end is None or end.total <= self._start.total:
            return {"load_share": None, "others_share": None, "stolen_share": None}
        total = end.total - self._start.total
        busy = total - (end.idle - self._start.idle)
        stolen = end.stolen - self._start.stolen
        others = busy - stolen - (self._own() - self._own_start)
        return {
            "load_share": (busy - stolen) / total,
            "others_share": max(0.0, others / total),
            "stolen_share": stolen / total,
        }


def condition_warnings(report: Conditions) -> list[str]:
    """Why figures taken under these conditions should not be quoted."""
    warnings = []
    if (report.others_share or 0) > _MAX_OTHERS:
        warnings.append(
            f"other programs used {report.others_share:.0%} of the processors during the run: "
            "close them and run again"
        )
    if (report.stolen_share or 0) > _MAX_STOLEN:
        warnings.append(
            f"the host took {report.stolen_share:.0%} of this virtual machine's time: measure "
            "on a machine of its own"
        )
    gpu = report.gpu or {}
    if "slowed_down" in gpu and gpu["slowed_down"].max:
        hottest = f" ({gpu['temperature_c'].max:.0f} °C)" if "temperature_c" in gpu else ""
        warnings.append(
            f"heat or a power limit lowered the GPU's clock{hottest}: let it cool down, or raise "
            "the limit, and run again"
        )
    for name, clock in (("CPU", report.cpu_mhz), ("GPU", gpu.get("sm_mhz"))):
        if clock is not None and clock.min < _MIN_CLOCK * clock.max:
            warnings.append(
                f"the {name}'s clock varied from {clock.min:.0f} to {clock.max:.0f} MHz: it "
                "throttles, or its governor saves power; fix the clock and run again"
            )
    return warnings


def _range(values: list[float]) -> Range:
    return Range(min=min(values), median=median(values), max=max(values))
