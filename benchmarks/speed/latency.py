"""Latency of models on backends, beside rivals: what a caller of `upscaler(frame)` waits for.

Every model is measured on every backend and as every rival runs it, at every size and batch. All
cases take their calls in turn within one run, so that whatever disturbs the machine hits all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from msgspec.structs import replace

from ...common.errors import BackendError, ModelError
from ...common.notes import Say, silent
from ...runtime import ModelSpec, Upscaler
from ...runtime.backends.select import AUTO, find_backend
from ...runtime.models.file import read_spec
from ...runtime.models.zoo import resolve
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..process.fresh import measure_start
from ..report.checks import (
    agreement_warnings,
    int8_warnings,
    limit_warnings,
    machine_warnings,
    percentile_warnings,
    scale_warnings,
    variation_warnings,
)
from ..report.documents import Latency
from ..report.model import describe_model, describe_runtime, new_document
from ..report.results import Case, LatencyResults, Start
from ..rivals import is_rival
from ..rivals.contender import Contender, arrays_for, open_contender
from ..shared.frames import Agreement, Frames, agreement
from ..shared.settings import GridSettings, LatencySettings
from ..shared.statistics import Summary, summarise
from ..shared.timing import Samples, alternate
from .limits import Limits
from .stages import StageRecorder


@dataclass
class _Case:
    """One cell of the grid, while it is measured."""

    spec: ModelSpec
    settings: LatencySettings
    start: Start | None
    contender: Contender
    frames: list[Frames]
    out: Frames
    name: str = ""
    result: Frames | None = None
    """The output for the first frame."""

    @property
    def is_framelift(self) -> bool:
        """Whether our runtime runs it, not a rival."""
        return isinstance(self.contender, Upscaler)

    def warm_up(self) -> None:
        """Call it until it has recorded its CUDA graph, for which nobody else may use the GPU."""
        for frame in self.frames:
            self.contender(frame, out=self.out)

    def call(self) -> Callable[[], object]:
        """One call on the next frame, output reused."""
        frames = cycle(self.frames)
        return lambda: self.contender(next(frames), out=self.out)


def measure_latency(
    models: Sequence[str | Path], settings: GridSettings, progress: Say = silent
) -> Latency:
    """Measure the grid and return the report; `progress` is called with what is being done.

    Timed is `upscaler(frame, out=frame)`, BGR of the model's depth in and out. Start-up is that
    of a new process.
    Raises ModelError, BackendError, MissingDependencyError.
    """
    for name in settings.backends:
        if name != AUTO and not is_rival(name):
            find_backend(name)
    machine = describe_machine()
    with ExitStack() as stack:
        cases, left_out = _cases(stack, models, settings, on_gpu=bool(machine.gpus), say=progress)
        _name(cases)
        limits = stack.enter_context(Limits([case.contender for case in cases], settings))
        progress(f"measuring {len(cases)} case{'s' if len(cases) > 1 else ''}")
        for case in cases:
            case.result = case.contender(case.frames[0]).copy()
        monitor = Monitor(gpu=bool(machine.gpus))
        recorders = {case.name: StageRecorder(case.contender, case.call()) for case in cases}
        timed = alternate(
            recorders,
            settings.seconds,
            settings.iterations,
            monitor.sample,
            most_seconds=settings.most_seconds,
        )
        conditions = monitor.report()
        limits.measure()
        rows = [_row(case, timed[case.name], recorders[case.name], cases, limits) for case in cases]
        results = LatencyResults(cases=rows, conditions=conditions, peaks=limits.describe())
    warnings = [
        *left_out,
        *machine_warnings(machine, conditions),
        *int8_warnings(machine, {row.name: row.runtime for row in rows}),
        *_row_warnings(rows, limits),
    ]
    return new_document(Latency, machine, settings, results, warnings)


def _cases(
    stack: ExitStack,
    models: Sequence[str | Path],
    settings: GridSettings,
    *,
    on_gpu: bool,
    say: Say,
) -> tuple[list[_Case], list[str]]:
    """Open every case of the grid, and say in a line for each which rivals were left out."""
    cases: list[_Case] = []
    left_out: list[str] = []
    for model in models:
        spec = read_spec(resolve(model))
        for one in settings.cases():
            say(f"starting {spec.name} on {one.backend}")
            try:
                case = _open(stack, spec, one, settings.fresh)
                if on_gpu:
                    case.warm_up()
                cases.append(case)
            except (BackendError, ModelError) as error:
                if not (settings.lenient and is_rival(one.backend)):
                    raise
                left_out.append(f"left out: {spec.name} on {one.backend} ({error})")
    return cases, left_out


def _row_warnings(rows: list[Case], limits: Limits) -> list[str]:
    """What is to be doubted in the measured rows."""
    same_network = [row for row in rows if row.agreement and "network" not in row.runtime]
    return [
        *scale_warnings({row.name: (row.scale, row.model.scale) for row in rows if row.rival}),
        *variation_warnings(
            {row.name: row.latency for row in rows}, {row.name: row.steady for row in rows}
        ),
        *percentile_warnings(min((row.latency for row in rows), key=_count)),
        *limits.notes,
        *limit_warnings({row.name: row.roofline.share_of_limit for row in rows if row.roofline}),
        *agreement_warnings({row.name: row.agreement for row in same_network if row.agreement}),
    ]


def _open(stack: ExitStack, spec: ModelSpec, one: LatencySettings, fresh: bool) -> _Case:
    start = measure_start(spec.path, one) if fresh else None
    contender = stack.enter_context(closing(open_contender(spec.path, one)))
    return _Case(spec, one, start, contender, *arrays_for(contender, one))


def _name(cases: list[_Case]) -> None:
    """Names that differ from case to case and are the same in the next run."""
    same_names = {
        spec.name: {c.spec.sha256 for c in cases if c.spec.name == spec.name}
        for spec in (case.spec for case in cases)
    }
    for case in cases:
        spec, one = case.spec, case.settings
        parts = [spec.name, spec.precision, str(case.contender.describe()["backend"])]
        if len(same_names[spec.name]) > 1:
            parts[0] += f" ({spec.sha256[:8]})"
        parts.append(f"{one.width}×{one.height}")
        if one.batch > 1:
            parts.append(f"batch {one.batch}")
        case.name = ", ".join(parts)
    taken: dict[str, int] = {}
    for case in cases:  # the same backend asked for twice
        taken[case.name] = taken.get(case.name, 0) + 1
        if taken[case.name] > 1:
            case.name += f" #{taken[case.name]}"


def _row(
    case: _Case,
    samples: Samples,
    recorder: StageRecorder,
    cases: list[_Case],
    limits: Limits,
) -> Case:
    summary = summarise(samples.samples_ms, case.settings.batch)
    return Case(
        model=describe_model(case.spec),
        runtime=describe_runtime(case.contender),
        name=case.name,
        rival=not case.is_framelift,
        width=case.settings.width,
        height=case.settings.height,
        batch=case.settings.batch,
        scale=case.contender.scale,
        latency=summary,
        steady=samples.steady,
        warm_up_ms=samples.warm_up_ms,
        samples_ms=samples.samples_ms,
        stages_ms=recorder.medians(samples.samples_ms),
        start=case.start,
        roofline=limits.roofline(case.spec, case.settings, case.contender, summary),
        agreement=_agreement(case, cases),
    )


def _agreement(case: _Case, cases: list[_Case]) -> Agreement | None:
    """How far a case's output is from that of the first case of the same weights and frames."""
    shape = (case.settings.width, case.settings.height, case.settings.batch)
    for other in cases:
        one = other.settings
        alike = other.spec.weights_sha256 == case.spec.weights_sha256
        if alike and (one.width, one.height, one.batch) == shape:
            if other is case or case.result is None or other.result is None:
                return None
            if case.result.shape != other.result.shape:
                return None
            same = other.spec.precision == case.spec.precision
            found = agreement(other.result, case.result)
            return replace(found, beside=other.name, same_precision=same)
    return None


def _count(summary: Summary) -> int:
    return summary.count
