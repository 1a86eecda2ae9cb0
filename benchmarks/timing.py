"""Times calls: warm-up until steady, then for at least so long and so often."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter_ns

_WINDOW = 5
_STEADY = 0.05
_WARM_UP_LIMIT_SECONDS = 10.0


def time_ms(call: Callable[[], object]) -> float:
    """Milliseconds that one call takes."""
    start = perf_counter_ns()
    call()
    return (perf_counter_ns() - start) / 1e6


def warm_up(
    time_once: Callable[[], float], limit_seconds: float = _WARM_UP_LIMIT_SECONDS
) -> tuple[list[float], bool]:
    """Repeat `time_once` (which returns milliseconds) until it is steady.

    Steady means that the median of the last five samples is within 5 % of that of the five before.
    Returns the samples and whether that was reached within the limit (at least two calls are made).
    """
    samples: list[float] = []
    spent_ms = 0.0
    while spent_ms < limit_seconds * 1000 or len(samples) < 2:
        samples.append(time_once())
        spent_ms += samples[-1]
        if len(samples) >= 2 * _WINDOW:
            before, last = median(samples[-2 * _WINDOW : -_WINDOW]), median(samples[-_WINDOW:])
            if abs(last - before) <= _STEADY * before:
                return samples, True
    return samples, False


def repeat(seconds: float, iterations: int) -> Iterator[int]:
    """Count up until both `seconds` have passed and `iterations` rounds were made."""
    start = perf_counter_ns()
    rounds = 0
    while rounds < iterations or perf_counter_ns() - start < seconds * 1e9:
        yield rounds
        rounds += 1


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Python's cyclic collector stops inside, so that it is not measured."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
