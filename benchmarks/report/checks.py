"""When figures are too unreliable to quote, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ...common.errors import ConfigError
from ...runtime import ModelSpec
from ..machine.facts import Machine
from ..machine.monitor import Conditions, condition_warnings
from ..shared.frames import Agreement
from ..shared.statistics import Summary

_MAX_CV = 0.10
_MAX_DRIFT = 1.05
_MIN_SAMPLES_P99 = 100
# Share of the cores that other programs may keep busy before the run.
_MAX_LOAD = 0.25
_MAX_LISTED = 3
# Below this share of values within 1 code, two ways to run one network do not do the same.
_MIN_AGREEMENT = 0.999
# In another precision an image may differ, on noise most of all, but not be another one.
_MIN_PSNR_DB = 25.0


def require_super_resolution(spec: ModelSpec, what: str) -> None:
    """Raise ConfigError for a model that `what` cannot be measured of."""
    if spec.task != "super-resolution":
        raise ConfigError(
            f"{spec.name} is a {spec.task} model: {what} is for super-resolution; use "
            "`framelift bench latency`, `video`, `flicker` or `realtime`"
        )


def require_size(spec: ModelSpec, height: int, width: int) -> None:
    """Raise ConfigError for frames that a model of a fixed size takes in tiles only."""
    own = tuple(f or size for f, size in zip(spec.frame_shape[1:], (height, width), strict=True))
    if own != (height, width):
        raise ConfigError(
            f"{spec.name} takes {own[1]}×{own[0]} pixels only, and its network alone is measured: "
            f"pass --size {own[1]}x{own[0]}"
        )


def machine_warnings(machine: Machine, conditions: Conditions | None = None) -> list[str]:
    """Warnings about the state of the machine before and during the run.

    The system's load counts what this program did before, too: where the conditions of the run show
    what others did, they alone are believed.
    """
    during = [] if conditions is None else condition_warnings(conditions)
    if conditions is not None and conditions.others_share is not None:
        return during
    if machine.load is None or machine.load <= _MAX_LOAD * machine.cores:
        return during
    return [
        f"the machine was busy before the run (load {machine.load:.1f} on {machine.cores} "
        "cores): close other programs and run again",
        *during,
    ]


def variation_warnings(
    summaries: Mapping[str, Summary],
    steady: Mapping[str, bool] | None = None,
    *,
    longer: str = "--seconds",
) -> list[str]:
    """Warnings about the spread of one or several named sets of samples.

    `steady` has for each name whether its warm-up settled; what is not in it did. `longer` is the
    option that measures for longer.
    """
    warnings = []
    unsettled = [name for name, settled in (steady or {}).items() if not settled]
    if unsettled:
        warnings.append(
            f"no steady state was reached in the warm-up of {_listed(unsettled)}: close other "
            "programs and run again"
        )
    noisy = {name: summary.cv for name, summary in summaries.items() if summary.cv > _MAX_CV}
    if noisy:
        warnings.append(
            f"too noisy to quote: {_listed(noisy)} (CV up to {max(noisy.values()):.0%}, above "
            f"{_MAX_CV:.0%}); close other programs, fix the clock frequency, or measure for longer "
            f"with {longer}"
        )
    slower = {name: s.drift - 1 for name, s in summaries.items() if s.drift > _MAX_DRIFT}
    if slower:
        warnings.append(
            f"slower at the end of the run than at its beginning: {_listed(slower)} (by up to "
            f"{max(slower.values()):.0%}); the machine is throttling or shared: let it cool down, "
            f"or measure for longer with {longer}"
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


def limit_warnings(shares: Mapping[str, float]) -> list[str]:
    """Warnings about cases that seem to run above the machine's peak (a share over 1)."""
    above = [name for name, share in shares.items() if share > 1]
    if not above:
        return []
    return [
        f"above the measured limit: {_listed(above)}; the peak was measured while the machine was "
        "busier: close other programs and run again"
    ]


def int8_warnings(machine: Machine, cases: Mapping[str, Mapping[str, object]]) -> list[str]:
    """A warning if `cases` (name to what runs) of int8 are on ONNX Runtime's CPU provider without
    an instruction that sums 8-bit products in 32 bits: its kernels then sum pairs in 16 bits, which
    is slower, and which only weights that are limited for it do not overflow (`describe` says
    `int8` of others).
    """
    saturating = [
        name
        for name, facts in cases.items()
        if (facts.get("precision"), facts.get("provider")) == ("int8", "CPUExecutionProvider")
    ]
    if not saturating or machine.multiplies_int8 is not False:
        return []
    coarser = [name for name in saturating if "int8" in cases[name]]
    loss = f"; weights of {_listed(coarser)} get a coarser step: less exact" if coarser else ""
    return [
        f"int8 on a processor without VNNI: {_listed(saturating)}; ONNX Runtime sums pairs of "
        f"products in 16 bits there: slower than elsewhere{loss}"
    ]


def scale_warnings(scales: Mapping[str, tuple[int, int]]) -> list[str]:
    """Warnings about rivals with another scale (first) than the model beside them (second)."""
    unlike = [
        f"{name} (×{own}, not ×{other})" for name, (own, other) in scales.items() if own != other
    ]
    if not unlike:
        return []
    return [f"enlarges by another factor, so its time cannot be compared: {_listed(unlike)}"]


def agreement_warnings(agreements: Mapping[str, Agreement]) -> list[str]:
    """Warnings about cases whose images differ from those of the case they are compared with."""
    unlike = [name for name, a in agreements.items() if not is_same(a)]
    if not unlike:
        return []
    return [f"makes a different image, so its time cannot be compared: {_listed(unlike)}"]


def is_same(same: Agreement) -> bool:
    """Whether an agreement is that of two ways to run one network."""
    if same.same_precision:
        return same.share_within_1 >= _MIN_AGREEMENT
    return same.psnr_db is None or same.psnr_db >= _MIN_PSNR_DB


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    return "; ".join(listed) if len(listed) <= _MAX_LISTED else f"{len(listed)} of the cases"
