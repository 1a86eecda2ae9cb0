"""What the machine was like during a measurement: clocks, other programs, stolen time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from .machine import query_gpus

_EVERY_SECONDS = 0.25
_GPU_EVERY_SECONDS = 2.0
_GPU_FIELDS = ("clocks.sm", "clocks.max.sm", "temperature.gpu", "utilization.gpu", "memory.used")

_MAX_OTHERS = 0.10
_MAX_STOLEN = 0.02
_MIN_CLOCK = 0.90


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


def clock_mhz() -> float | None:
    """Mean clock of the processors now, in MHz; None where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    clocks = [
        float(line.partition(":")[2]) for line in text.splitlines() if line.startswith("cpu MHz")
    ]
    return sum(clocks) / len(clocks) if clocks else None


def gpu_state() -> dict[str, float] | None:
    """Clocks in MHz, temperature in °C, load in %, memory in MiB of the first GPU, or None."""
    answer = query_gpus(",".join(_GPU_FIELDS), "nounits")
    try:
        values = [float(value) for value in answer[0].split(",")] if answer else []
    except ValueError:
        return None
    if not values:
        return None
    names = ("sm_mhz", "max_sm_mhz", "temperature_c", "load_percent", "memory_mib")
    return dict(zip(names, values, strict=True))


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

    def report(self) -> dict[str, Any]:
        """`cpu_mhz` and `gpu` as min, median and max; `others_share` and `stolen_share` are of all
        processors' time; null is unknown.
        """
        return {
            "cpu_mhz": _range(self._clocks),
            "gpu": {name: _range([state[name] for state in self._gpu]) for name in self._gpu[0]}
            if self._gpu
            else None,
            **self._shares(),
        }

    def _shares(self) -> dict[str, float | None]:
        end = self._times()
        if self._start is None or end is None or end.total <= self._start.total:
            return {"others_share": None, "stolen_share": None}
        total = end.total - self._start.total
        busy = total - (end.idle - self._start.idle)
        stolen = end.stolen - self._start.stolen
        others = busy - stolen - (self._own() - self._own_start)
        return {"others_share": max(0.0, others / total), "stolen_share": stolen / total}


def condition_warnings(report: dict[str, Any]) -> list[str]:
    """Why figures taken under these conditions should not be quoted."""
    warnings = []
    if (report["others_share"] or 0) > _MAX_OTHERS:
        warnings.append(
            f"other programs used {report['others_share']:.0%} of the processors during the run: "
            "close them and run again"
        )
    if (report["stolen_share"] or 0) > _MAX_STOLEN:
        warnings.append(
            f"the host took {report['stolen_share']:.0%} of this virtual machine's time: measure "
            "on a machine of its own"
        )
    for name, clock in (("CPU", report["cpu_mhz"]), ("GPU", (report["gpu"] or {}).get("sm_mhz"))):
        if clock is not None and clock["min"] < _MIN_CLOCK * clock["max"]:
            warnings.append(
                f"the {name}'s clock varied from {clock['min']:.0f} to {clock['max']:.0f} MHz: it "
                "throttles, or its governor saves power; fix the clock and run again"
            )
    return warnings


def _range(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"min": min(values), "median": median(values), "max": max(values)}
