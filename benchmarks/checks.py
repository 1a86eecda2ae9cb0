"""When figures are too unreliable to quote, and what to do about it."""

from __future__ import annotations

from .machine import Machine
from .statistics import Summary

_MAX_CV = 0.10
_MAX_DRIFT = 1.05
_MIN_SAMPLES_P99 = 100
# Share of the cores that other programs may keep busy before the run.
_MAX_LOAD = 0.25


def machine_warnings(machine: Machine) -> list[str]:
    """Warnings about the state of the machine before the run."""
    if machine.load is None or machine.load <= _MAX_LOAD * machine.cores:
        return []
    return [
        f"the machine was busy before the run (load {machine.load:.1f} on {machine.cores} "
        "cores): close other programs and run again"
    ]


def summary_warnings(summary: Summary, name: str = "latency", steady: bool = True) -> list[str]:
    """Warnings about one set of samples."""
    warnings = []
    if not steady:
        warnings.append(f"{name} did not settle during warm-up: close other programs and run again")
    if summary.cv > _MAX_CV:
        warnings.append(
            f"{name} varies too much to quote (CV {summary.cv:.0%}, above {_MAX_CV:.0%}): close "
            "other programs, fix the clock frequency, or measure for longer with --seconds"
        )
    if summary.drift > _MAX_DRIFT:
        warnings.append(
            f"{name} grew by {summary.drift - 1:.0%} during the run: the machine is throttling or "
            "shared; let it cool down, or measure for longer with --seconds"
        )
    return warnings


def percentile_warnings(summary: Summary) -> list[str]:
    """Warnings about percentiles that too few samples support."""
    if summary.count >= _MIN_SAMPLES_P99:
        return []
    return [
        f"p99 of {summary.count} samples is close to their maximum: "
        f"measure at least {_MIN_SAMPLES_P99} with a larger --seconds"
    ]
