"""What the machine was like during a measurement: clocks, load, other programs, stolen time."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter

import psutil

from ..shared.fields import Part
from .gpus import gpu_state

_EVERY_SECONDS = 0.25
_GPU_EVERY_SECONDS = 2.0
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
    """Seconds of all processors together since boot: in all, idle, and taken by the hypervisor,
    which not every system shows.
    """

    total: float
    idle: float
    stolen: float | None


def cpu_times() -> CpuTimes | None:
    """The times so far; None where the system does not show them."""
    try:
        times = psutil.cpu_times()
    except OSError:
        return None
    # Linux counts the time of guests as the user's, too.
    total = sum(times) - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
    idle = times.idle + getattr(times, "iowait", 0)
    return CpuTimes(total, idle, getattr(times, "steal", None))


def clock_mhz() -> float | None:
    """Mean clock of the processors now, in MHz; None where the system does not show it."""
    try:
        found = psutil.cpu_freq()
    except (AttributeError, OSError, RuntimeError):  # not on every system
        return None
    return found.current if found and found.current else None


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
        stolen = (end.stolen or 0) - (self._start.stolen or 0)
        others = busy - stolen - (self._own() - self._own_start)
        return {
            "load_share": (busy - stolen) / total,
            "others_share": max(0.0, others / total),
            "stolen_share": None if end.stolen is None else stolen / total,
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
