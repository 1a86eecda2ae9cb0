"""The machine's condition during a run, with made-up clocks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from framelift.benchmarks.machine.gpus import gpu_state
from framelift.benchmarks.machine.monitor import (
    Conditions,
    CpuTimes,
    Monitor,
    Range,
    clock_mhz,
    condition_warnings,
    cpu_times,
)
from tests.support.nvml import remove, simulate


def monitor(times: Iterator[CpuTimes | None], own: Iterator[float], **more: object) -> Monitor:
    clock = iter([3000.0, 3000.0, 1500.0])
    ticks = iter([0.0, 0.0, 0.1, 0.5, 1.0])
    return Monitor(
        times=lambda: next(times),
        own=lambda: next(own),
        clock=lambda: next(clock),
        now=lambda: next(ticks),
        **more,  # type: ignore[arg-type]
    )


def test_shares_are_of_all_processors() -> None:
    times = iter([CpuTimes(100, 50, 0), CpuTimes(200, 80, 5)])
    watched = monitor(times, iter([10.0, 50.0]))
    for _ in range(4):
        watched.sample()
    report = watched.report()
    assert report.load_share == pytest.approx((70 - 5) / 100)
    assert report.others_share == pytest.approx((70 - 5 - 40) / 100)
    assert report.stolen_share == pytest.approx(0.05)
    assert report.cpu_mhz == Range(min=1500, median=3000, max=3000)
    assert report.gpu is None
    warnings = condition_warnings(report)
    assert "other programs used 25% of the processors" in warnings[0]
    assert "the host took 5% of this virtual machine's time" in warnings[1]
    assert "the CPU's clock varied from 1500 to 3000 MHz" in warnings[2]


def test_what_is_unknown_is_null_and_no_warning() -> None:
    report = monitor(iter([None, None]), iter([0.0, 1.0])).report()
    assert report == Conditions(
        cpu_mhz=None, gpu=None, others_share=None, stolen_share=None, load_share=None
    )
    assert condition_warnings(report) == []


def test_the_system_tells() -> None:
    times = cpu_times()
    assert times is None or times.total >= times.idle >= 0
    clock = clock_mhz()
    assert clock is None or clock > 100


def test_clocks_are_read_where_the_system_tells_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for found, expected in ((None, None), (0.0, None), (1500.5, 1500.5)):
        told = None if found is None else SimpleNamespace(current=found)
        monkeypatch.setattr(psutil, "cpu_freq", lambda told=told: told)
        assert clock_mhz() == expected
    monkeypatch.delattr(psutil, "cpu_freq")  # as on some systems
    assert clock_mhz() is None


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc/stat")
def test_times_are_those_of_the_kernel() -> None:
    def kernel() -> list[float]:
        ticks = Path("/proc/stat").read_text(encoding="ascii").partition("\n")[0].split()[1:9]
        return [int(value) / os.sysconf("SC_CLK_TCK") for value in ticks]

    before, times, after = kernel(), cpu_times(), kernel()
    assert times is not None
    assert times.stolen is not None
    assert sum(before) - 0.1 <= times.total <= sum(after) + 0.1
    assert sum(before[3:5]) - 0.1 <= times.idle <= sum(after[3:5]) + 0.1
    assert before[7] - 0.1 <= times.stolen <= after[7] + 0.1


def test_systems_without_a_hypervisor_s_share_tell_the_others() -> None:
    times = iter([CpuTimes(100, 50, None), CpuTimes(200, 80, None)])
    report = monitor(times, iter([10.0, 50.0])).report()
    assert report.stolen_share is None
    assert report.load_share == pytest.approx(0.7)
    assert report.others_share == pytest.approx(0.3)


def test_gpus_are_read_from_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, {})
    watched = monitor(iter([None, None]), iter([0.0, 0.0]), gpu=True)
    watched.sample()
    gpu = watched.report().gpu
    assert gpu is not None
    assert gpu["sm_mhz"] == Range(min=1200, median=1200, max=1200)
    assert gpu["temperature_c"].max == 61
    assert gpu["slowed_down"].max == 0  # bit 1: idle
    simulate(
        monkeypatch,
        {
            "ClockInfo": None,
            "MaxClockInfo": 1,
            "Temperature": 2,
            "UtilizationRates": SimpleNamespace(gpu=3),
            "MemoryInfo": SimpleNamespace(used=4 << 20),
            "CurrentClocksThrottleReasons": None,
        },
    )
    assert gpu_state() == {"max_sm_mhz": 1, "temperature_c": 2, "load_percent": 3, "memory_mib": 4}
    remove(monkeypatch)
    assert gpu_state() is None


@pytest.mark.parametrize("reason", ["04", "08", "20", "40", "80"])
def test_a_gpu_that_slows_down_is_warned_of(monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    slow: dict[str, object] = {
        "ClockInfo": 1970,
        "Temperature": 88,
        "CurrentClocksThrottleReasons": int(reason, 16),
    }
    simulate(monkeypatch, slow)
    watched = monitor(iter([None, None]), iter([0.0, 0.0]), gpu=True)
    watched.sample()
    (warning,) = condition_warnings(watched.report())
    assert "lowered the GPU's clock (88 °C)" in warning


def test_a_driver_without_throttle_reasons_tells_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(monkeypatch, {"CurrentClocksThrottleReasons": None})
    state = gpu_state()
    assert state is not None
    assert state["load_percent"] == 97
    assert "slowed_down" not in state
