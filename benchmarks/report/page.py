"""A report as one self-contained HTML page: tables, charts, a before/after slider; no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import MissingDependencyError
from ...common.table import Table
from ...common.text import counted
from .charts import Distribution, Stack, bars, distributions, stacks
from .documents import AnyDocument, AnySingle, Latency, Pictures, Quality
from .headline import headlines
from .model import parts
from .model_rows import espcn_order, model_name
from .quality_results import Picture, Scores
from .results import (
    Case,
    EspcnResults,
    LatencyResults,
    OverheadResults,
    StreamResults,
    VideoResults,
)
from .rows import short_names
from .scatter import Baseline, Point, scatter
from .settings import WithImages, fields_of
from .tables import Section, machine_facts, sections, title

_TEMPLATE = Path(__file__).with_name("page.html")
# So many cases fit into one chart before it becomes a wall.
_MAX_CASES = 24


@dataclass(frozen=True)
class _Chart:
    """A drawing as SVG under its own heading, which may be empty."""

    heading: str
    svg: str


@dataclass(frozen=True)
class _Part:
    """What the page shows under one heading, which may be empty."""

    heading: str
    facts: Sequence[str] = ()
    warnings: Sequence[str] = ()
    charts: Sequence[_Chart] = ()
    caption: str = ""
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()


def require_jinja() -> Any:  # noqa: ANN401 - the module
    """Jinja, which fills the page. Raises MissingDependencyError."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "the HTML page needs Jinja: run `pip install 'framelift[report]'`"
        ) from error
    return jinja2


def to_html(document: AnyDocument) -> str:
    """The whole page as text. Raises MissingDependencyError."""
    jinja2 = require_jinja()
    documents = parts(document)
    one = len(documents) == 1
    pictures = [part for part in documents if isinstance(part, Pictures)]
    rest = [part for part in documents if not isinstance(part, Pictures)]
    facts = [fact for part in documents for fact in machine_facts(part)]
    shown = [_Part(_heading(part), pictures=part.results.pictures) for part in pictures]
    shown += _quality_against_latency(documents)
    shown += [_section(section, heading=not one) for section in sections(rest, printed=facts)]
    packages = documents[0].machine.packages
    versions = "versions: " + ", ".join(f"{name} {v}" for name, v in packages.items())
    page: str = (
        jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
        .from_string(_TEMPLATE.read_text(encoding="utf-8"))
        .render(
            heading=_heading(documents[0]) if one else "Framelift benchmark report",
            headlines=headlines(documents),
            facts=[*dict.fromkeys(facts), versions, f"measured: {document.created}"],
            parts=shown,
            counted=counted,
        )
    )
    return page


def _heading(document: AnySingle) -> str:
    return _capital(title(document))


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _section(section: Section, *, heading: bool) -> _Part:
    draw: dict[str, Any] = {
        "latency": _latency_charts,
        "overhead": _overhead_charts,
        "video": _video_charts,
        "stream": _stream_charts,
        "espcn": _espcn_charts,
    }
    charts = draw[section.kind](section.documents[0].results) if section.kind in draw else ()
    return _Part(
        _capital(section.title) if heading else "",
        section.facts,
        section.warnings,
        charts,
        tables=section.tables,
    )


def _latency_charts(results: LatencyResults) -> list[_Chart]:
    cases = results.cases[:_MAX_CASES]
    named = list(zip(short_names([case.name for case in cases]), cases, strict=True))
    return [
        _Chart(
            "Distribution of latency",
            distributions([Distribution(name, case.samples_ms) for name, case in named]),
        ),
        _Chart("Where the time goes", stacks([_stack(name, case) for name, case in named])),
    ]


def _stack(name: str, case: Case) -> Stack:
    stages = case.stages_ms or {"whole call": case.latency.p50_ms}
    return Stack(name, stages, None if case.roofline is None else case.roofline.limit_ms)


def _overhead_charts(results: OverheadResults) -> list[_Chart]:
    variants = results.variants.items()
    drawn = distributions([Distribution(name, v.samples_ms) for name, v in variants])
    return [_Chart("", drawn)]


def _video_charts(results: VideoResults) -> list[_Chart]:
    runs = [
        (f"sink: {name}", {stage: share or 0.0 for stage, share in run.occupancy.items()})
        for name, run in results.runs.items()
    ]
    return [_Chart("Share of the time that each stage works", bars(runs))]


def _stream_charts(results: StreamResults) -> list[_Chart]:
    shown = [
        Distribution(f"{run.source_fps:g} fps, glass to glass", run.latencies_ms)
        for run in results.rates
        if run.latencies_ms
    ]
    return [_Chart("", distributions(shown))] if shown else []


def _espcn_charts(results: EspcnResults) -> list[_Chart]:
    """Time with frames and alone, ESPCN being 1."""
    shown = [
        Stack(f"{model_name(row.model)}, {form}", {form: timed.median_of_ratios}, 1.0)
        for row in espcn_order(results)
        for form, timed in (("network", row.network), ("frames", row.frames))
    ]
    return [_Chart("", stacks(shown, "×", limit="ESPCN of the same scale"))]


def _quality_against_latency(documents: Sequence[AnySingle]) -> list[_Part]:
    """A plot for each scale and image set, and each measure, of the models that have both."""
    cases: dict[str, Case] = {}
    for part in documents:
        for case in part.results.cases if isinstance(part, Latency) else ():
            if not case.rival and case.batch == 1:
                cases.setdefault(case.model.sha256, case)
    panels: dict[tuple[int, str], list[Quality]] = {}
    for part in documents:
        if isinstance(part, Quality) and part.model.sha256 in cases:
            images = fields_of(WithImages, part.settings).images
            panels.setdefault((part.model.scale, images), []).append(part)
    drawn = [
        _Chart(f"×{scale} on {images}", svg)
        for (scale, images), group in sorted(panels.items())
        for measure in _MEASURES
        if (svg := _panel(scale, group, cases, measure))
    ]
    caption = "Hollow marks are int8."
    return [_Part("Quality and latency", charts=drawn, caption=caption)] if drawn else []


_MEASURES = {
    "psnr_db": "Y-PSNR, dB: higher is better",
    "feature_distance": "distance of relu2_2 features: lower is better",
}


def _panel(scale: int, group: Sequence[Quality], cases: dict[str, Case], measure: str) -> str:
    def value(scores: Scores) -> float | None:
        return scores.psnr_db if measure == "psnr_db" else scores.feature_distance

    points, size = [], ""
    for part in group:
        model, score = part.model, value(part.results.mean.model)
        if score is not None:
            case = cases[model.sha256]
            size = f"{case.width}×{case.height} → {case.width * scale}×{case.height * scale}"
            hollow = model.precision == "int8"
            points.append(Point(model_name(model), case.latency.p50_ms, score, hollow))
    if not points:
        return ""
    bicubic = value(group[0].results.mean.bicubic)
    line = None if bicubic is None else Baseline("bicubic", bicubic)
    return scatter(points, f"median latency, ms ({size})", _MEASURES[measure], line)
