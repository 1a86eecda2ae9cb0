"""Percentiles, rates and warnings derived from samples."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from framelift.benchmarks.machine.facts import describe_machine
from framelift.benchmarks.machine.monitor import Monitor
from framelift.benchmarks.report.checks import (
    machine_warnings,
    percentile_warnings,
    variation_warnings,
)
from framelift.benchmarks.shared.statistics import summarise


def test_percentiles_of_one_to_a_hundred() -> None:
    summary = summarise([float(value) for value in range(1, 102)])
    assert summary.count == 101
    assert (summary.p50_ms, summary.p90_ms, summary.p95_ms, summary.p99_ms) == (51, 91, 96, 100)
    assert (summary.min_ms, summary.max_ms, summary.mean_ms) == (1, 101, 51)


def test_fps_counts_the_frames_of_a_batch() -> None:
    assert summarise([20.0] * 4).fps == 50
    assert summarise([20.0] * 4, batch=4).fps == 200


def test_equal_samples_have_no_variation_or_drift() -> None:
    summary = summarise([10.0])
    assert summary.cv == 0
    assert summary.drift == 1


def test_deadline_misses_are_shares_of_calls() -> None:
    summary = summarise([10.0, 20.0, 35.0, 50.0])
    assert summary.deadline_misses == {"24": 0.25, "30": 0.5, "60": 0.75}
    batches = summarise([10.0, 20.0, 35.0, 50.0], batch=4)
    assert batches.deadline_misses == {"24": 0, "30": 0, "60": 0}


def test_drift_compares_the_last_third_with_the_first() -> None:
    assert summarise([10.0] * 3 + [50.0] * 3 + [12.0] * 3).drift == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("samples", "message"), [([], "no samples"), ([1.0, 0.0], r"must be positive, got 0.0 ms")]
)
def test_useless_samples_are_refused(samples: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        summarise(samples)


def test_a_quiet_run_has_no_warnings() -> None:
    summary = summarise([10.0, 10.1] * 60)
    assert variation_warnings({"x": summary}, {"x": True}) + percentile_warnings(summary) == []
    assert machine_warnings(replace(describe_machine(), load=0.1, cores=2)) == []
    assert machine_warnings(replace(describe_machine(), load=None)) == []


def test_a_load_of_our_own_is_no_warning() -> None:
    busy = replace(describe_machine(), load=2.0, cores=2)
    unknown = Monitor(times=lambda: None, clock=lambda: None).report()
    assert machine_warnings(busy, msgspec.structs.replace(unknown, others_share=0.0)) == []
    assert len(machine_warnings(busy, unknown)) == 1


def test_warnings_say_what_is_wrong_and_what_to_do() -> None:
    noisy, slower = summarise([10.0, 20.0, 10.0] * 33), summarise([10.0] * 50 + [10.8] * 50)
    warnings = variation_warnings({"a": noisy, "b": slower, "c": noisy}, {"a": True, "b": False})
    assert len(warnings) == 3
    assert "warm-up of b: close other programs" in warnings[0]
    assert "too noisy to quote: a; c (CV up to 35%" in warnings[1]
    assert "b (by up to 8%)" in warnings[2]
    assert "--seconds" in warnings[1]
    assert "p99 of 30 samples" in percentile_warnings(summarise([1.0] * 30))[0]
    busy = machine_warnings(replace(describe_machine(), load=2.0, cores=2))
    assert "load 2.0 on 2 cores" in busy[0]
