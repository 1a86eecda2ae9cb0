"""What a reader should know of a report in five seconds: p50 and p99 of one case, large."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...common.text import counted
from .charts import short
from .checks import is_same
from .documents import AnySingle, Latency, Quality
from .model_rows import model_name
from .results import Case, Model
from .settings import WithImages, fields_of


@dataclass(frozen=True)
class Headline:
    """One case in figures: `figures` are (value, unit, what it is), `notes` say what of and where,
    `warnings` are those of its report.
    """

    title: str
    figures: list[tuple[str, str, str]]
    notes: list[str]
    warnings: list[str]


def headlines(documents: Sequence[AnySingle]) -> list[Headline]:
    """The case that was measured beside rivals, else the first, and the fastest other model of the
    same scale and size; none without a report of latency.
    """
    reports = [part for part in documents if isinstance(part, Latency)]
    if not reports:
        return []
    report = max(reports, key=_rivals)
    lead = next((case for case in report.results.cases if not case.rival), None)
    if lead is None:
        return []
    others = [
        (part, case)
        for part in reports
        for case in part.results.cases
        if not case.rival
        and case.model.sha256 != lead.model.sha256
        and case.shape == lead.shape
        and case.latency.p50_ms < lead.latency.p50_ms
    ]
    others.sort(key=lambda pair: pair[1].latency.p50_ms)
    chosen = [(report, lead), *others][:2]
    return [_headline(part, case, documents) for part, case in chosen]


def _rivals(report: Latency) -> int:
    return sum(case.rival for case in report.results.cases)


def _headline(report: Latency, case: Case, documents: Sequence[AnySingle]) -> Headline:
    latency, model = case.latency, case.model
    width, height, batch, scale = case.shape
    notes = [
        f"{width}×{height} → {width * scale}×{height * scale}"
        + (f", {batch} frames per call" if batch > 1 else "")
    ]
    runtime = case.runtime
    notes.append(f"{runtime['backend']} on {runtime.get('device', 'an unknown device')}")
    if (roofline := case.roofline) is not None:
        share, bound = roofline.share_of_limit, roofline.bound_by
        notes.append(f"{share:.0%} of this machine's limit, bound by {bound}")
    notes += [line for line in (_beside_rivals(report, case), _quality(documents, model)) if line]
    figures = [
        (short(latency.p50_ms), "ms", "p50"),
        (short(latency.p99_ms), "ms", f"p99 of {latency.count} calls"),
        (short(latency.fps), "fps", "mean"),
    ]
    return Headline(model_name(model), figures, notes, list(report.warnings))


def _beside_rivals(report: Latency, case: Case) -> str:
    """The fastest rival that runs the same network and gives its image; ratio of the medians."""
    same = [
        other
        for other in report.results.cases
        if other.rival
        and other.agreement is not None
        and is_same(other.agreement)
        and other.model.sha256 == case.model.sha256
        and other.shape == case.shape
    ]
    if not same:
        return ""
    best = min(same, key=lambda other: other.latency.p50_ms)
    ratio = best.latency.p50_ms / case.latency.p50_ms
    name = best.runtime["backend"]
    rivals = counted(len(same), "rival")
    return f"{name} takes {ratio:.2f}× the time (fastest of {rivals} with the same image)"


def _quality(documents: Sequence[AnySingle], model: Model) -> str:
    """PSNR on the first set that the model was scored on."""
    for part in documents:
        if isinstance(part, Quality) and part.model.sha256 == model.sha256:
            mean = part.results.mean
            ours, bicubic = mean.model.psnr_db, mean.bicubic.psnr_db
            if ours is not None and bicubic is not None:
                images = fields_of(WithImages, part.settings).images
                return f"{ours:.2f} dB on {images}, {ours - bicubic:+.2f} beside bicubic"
    return ""
