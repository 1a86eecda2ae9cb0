"""The machine's condition during a run, with made-up clocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from framelift.benchmarks.machine.monitor import (
    Conditions,
    CpuTimes,
    Monitor,
    Range,
    clock_mhz,
    condition_warnings,
    cpu_times,
    gpu_state,
)


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


def test_clocks_are_read_where_the_system_tells_them(tmp_path: Path) -> None:
    assert clock_mhz(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cpuinfo").write_text("processor: 0\nBogoMIPS: 50.00\n")
    assert clock_mhz(tmp_path) is None
    for number, khz in enumerate(("2000000", "3000000", "damaged")):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{number}/cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(f"{khz}\n")
    assert clock_mhz(tmp_path) == 2500
    text = "cpu MHz\t\t: 1000.5\ncpu MHz\t\t: 2000.5\n"
    (tmp_path / "proc" / "cpuinfo").write_text(text)
    assert clock_mhz(tmp_path) == 1500.5


def test_gpus_are_read_from_the_driver_tool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho '1200, 1980, 61, 97, 4096, 0x0000000000000001'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    watched = monitor(iter([None, None]), iter([0.0, 0.0]), gpu=True)
    watched.sample()
    gpu = watched.report().gpu
    assert gpu is not None
    assert gpu["sm_mhz"] == Range(min=1200, median=1200, max=1200)
    assert gpu["temperature_c"].max == 61
    assert gpu["slowed_down"].max == 0  # bit 1: idle
    tool.write_text("#!/bin/sh\necho '[N/A], 1, 2, 3, 4, [N/A]'\n")
    assert gpu_state() == {
        "max_sm_mhz": 1, "temperature_c": 2, "load_percent": 3, "memory_mib": 4
    }  # fmt: skip
    tool.write_text("#!/bin/sh\nexit 6\n")
    assert gpu_state() is None


@pytest.mark.parametrize("reason", ["04", "08", "20", "40", "80"])
def test_a_gpu_that_slows_down_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho '1970, 1980, 88, 97, 4096, 0x00000000000000{reason}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    watched = monitor(iter([None, None]), iter([0.0, 0.0]), gpu=True)
    watched.sample()
    (warning,) = condition_warnings(watched.report())
    assert "lowered the GPU's clock (88 °C)" in warning


def test_a_driver_without_throttle_reasons_tells_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        '#!/bin/sh\ncase "$1" in *throttle*) exit 2;; esac\necho "1200, 1980, 61, 97, 4096"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    state = gpu_state()
    assert state is not None
    assert state["load_percent"] == 97
    assert "slowed_down" not in state
