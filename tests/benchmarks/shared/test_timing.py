"""Warm-up and repetition, with calls whose duration is made up."""

from __future__ import annotations

import gc
from itertools import count
from time import sleep

import pytest

from framelift.benchmarks.shared.timing import (
    alternate,
    no_garbage_collection,
    repeat,
    time_ms,
    warm_up,
)


def test_warm_up_ends_when_two_windows_agree() -> None:
    values = iter([100.0, 50.0, 20.0, 12.0, 11.0] + [10.0] * 100)
    samples, steady = warm_up(lambda: next(values))
    assert steady
    assert samples == [100.0, 50.0, 20.0, 12.0, 11.0] + [10.0] * 8


def test_warm_up_gives_up_at_its_limit() -> None:
    value = 100.0

    def grow() -> float:
        nonlocal value
        value *= 1.5
        return value

    samples, steady = warm_up(grow, limit_seconds=10)
    assert not steady
    assert sum(samples) >= 10_000 > sum(samples[:-1])


def test_warm_up_makes_at_least_two_calls() -> None:
    assert warm_up(lambda: 60_000.0) == ([60_000.0] * 2, False)


def test_repeat_makes_at_least_so_many_rounds() -> None:
    assert list(repeat(0, 4)) == [0, 1, 2, 3]


def test_repeat_goes_on_until_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(0, 4_000_000)  # 4 ms for each look at it
    monkeypatch.setattr("framelift.benchmarks.shared.timing.perf_counter_ns", clock.__next__)
    assert list(repeat(0.01, 1)) == [0, 1, 2]


def test_time_ms_is_positive() -> None:
    assert time_ms(lambda: sum(range(100))) > 0


def test_garbage_collection_is_off_inside_and_restored() -> None:
    assert gc.isenabled()
    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_slow_variant_sits_out_when_its_time_is_up() -> None:
    calls = {"slow": lambda: sleep(0.004), "fast": lambda: None}
    samples = alternate(calls, 0, 12, most_seconds=0.01)
    assert len(samples["slow"].samples_ms) == 5
    assert len(samples["fast"].samples_ms) == 12
