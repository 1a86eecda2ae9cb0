"""Times calls: warm-up until steady, then for at least so long and so often, in turn."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter_ns, sleep
from typing import TypeVar

_Name = TypeVar("_Name")

_WINDOW = 5
_STEADY = 0.05
_WARM_UP_LIMIT_SECONDS = 10.0
# So many calls are made of each variant, however slow it is.
_FEWEST_CALLS = 5

# An engine's threads may spin for a moment after a call; the next one must not share the cores
# with those of the one before.
_PAUSE_SECONDS = 0.005


@dataclass(frozen=True)
class Samples:
    """Milliseconds of each call of one variant; `steady` is whether its warm-up settled."""

    warm_up_ms: list[float]
    steady: bool
    samples_ms: list[float]


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
        # Medians, so that a single slow call does not count as a trend.
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


def alternate(
    variants: Mapping[_Name, Callable[[], object]],
    seconds: float,
    iterations: int,
    after_round: Callable[[], None] = lambda: None,
    *,
    most_seconds: float | None = None,
) -> dict[_Name, Samples]:
    """Time the variants in turn, every other round in reverse, so that noise hits all alike.

    `seconds` and `iterations` count for each variant, unless its calls have taken `most_seconds`
    (and there were five): it then sits out, and its warm-up takes a third of that at most.
    `after_round` is called outside of the timed calls. Python's cyclic garbage collector is off
    meanwhile.
    """
    results: dict[_Name, Samples] = {}
    most = math.inf if most_seconds is None else most_seconds
    limit = min(_WARM_UP_LIMIT_SECONDS, most / 3)
    with no_garbage_collection():
        for name, call in variants.items():
            warm_up_ms, steady = warm_up(partial(time_ms, call), limit)
            results[name] = Samples(warm_up_ms, steady, [])
        for round_ in repeat(seconds * len(variants), iterations):
            playing = [name for name in variants if not _is_done(results[name].samples_ms, most)]
            # A call may profit or suffer from the one before it, by caches or by heat. In every
            # other round the order is reversed, so that each variant follows another one.
            for name in playing[:: 1 if round_ % 2 == 0 else -1]:
                sleep(_PAUSE_SECONDS)
                results[name].samples_ms.append(time_ms(variants[name]))
            after_round()
            if not playing:
                break
    return results


def _is_done(samples_ms: list[float], most_seconds: float) -> bool:
    return len(samples_ms) >= _FEWEST_CALLS and sum(samples_ms) >= 1000 * most_seconds


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
