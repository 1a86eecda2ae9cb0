"""Two reports beside each other: what became slower or worse, by how much, and whether it is noise.

Every figure is turned into a cost, so that a positive change is always for the worse: times as they
are, rates as time per item, PSNR as mean squared error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...common.errors import InputError
from ...common.table import Table
from ..shared.statistics import Summary
from .documents import (
    AnyDocument,
    AnySingle,
    Espcn,
    Flicker,
    Footage,
    Latency,
    OfModel,
    Overhead,
    Quality,
    Reuse,
    Stream,
    Train,
    Video,
)
from .model import parts
from .model_rows import model_name
from .quality_results import FootageModel, Scores
from .results import EspcnRow

# A difference of two sets of samples that chance makes more often than this is called noise.
_SIGNIFICANCE = 0.01


@dataclass(frozen=True)
class Figure:
    """One figure of a report: `cost` is comparable, `shown` is what a reader knows."""

    name: str
    cost: float
    shown: str
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class Change:
    """A figure of both reports; `share` is how much more the new one costs (0.05: 5 % more)."""

    old: Figure
    new: Figure
    share: float
    noise: bool


@dataclass(frozen=True)
class Comparison:
    """All changes; `missing` are figures of the old report that the new one lacks."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    notes: tuple[str, ...]

    def worse_than(self, limit: float) -> list[Change]:
        """Changes above `limit` (0.05: 5 %) that are not noise."""
        return [change for change in self.changes if change.share > limit and not change.noise]

    def table(self) -> Table:
        """The changes, worst first."""
        ordered = sorted(self.changes, key=lambda change: -change.share)
        rows = tuple(
            (
                change.old.name,
                change.old.shown,
                change.new.shown,
                f"{change.share:+.1%}",
                "noise" if change.noise else "",
            )
            for change in ordered
        )
        return Table(("", "old", "new", "cost", ""), rows)


def compare(old: AnyDocument, new: AnyDocument) -> Comparison:
    """Compare two reports, of one or several documents. Raises InputError if they share nothing."""
    before, after = _by_name(old), _by_name(new)
    common = [name for name in before if name in after]
    if not common:
        raise InputError(
            "the two reports have no figure in common: measure the same models, backends and sizes"
        )
    changes = tuple(_change(before[name], after[name]) for name in common)
    missing = tuple(name for name in before if name not in after)
    return Comparison(changes, missing, tuple(_notes(parts(old), parts(new))))


def _by_name(document: AnyDocument) -> dict[str, Figure]:
    """The figures; what has the name of one before, as two files model.onnx, gets a number."""
    named: dict[str, Figure] = {}
    for figure in figures(document):
        name, count = figure.name, 1
        while name in named:
            count += 1
            name = f"{figure.name} #{count}"
        named[name] = replace(figure, name=name)
    return named


def figures(document: AnyDocument) -> Iterator[Figure]:
    """The figures of a report that are worth comparing."""
    for part in parts(document):
        yield from _figures(part)


def _figures(part: AnySingle) -> Iterator[Figure]:
    subject = part.model.name if isinstance(part, OfModel) else part.settings.get("config")
    where, settings = f"{part.kind}: {subject}", part.settings
    match part:
        case Latency():
            for one in part.results.cases:
                yield _time(f"latency: {one.name}", one.latency, one.samples_ms)
        case Espcn():
            for row in part.results.models:
                yield from _espcn(row)
        case Footage():
            for model in part.results.models:
                yield from _footage(model)
        case Overhead():
            for name, variant in part.results.variants.items():
                ratio = variant.median_of_ratios
                yield Figure(f"{where}, {name} / bare", ratio, f"{ratio:.2f}×")
        case Quality():
            images = f"{settings['images']} ({settings['count']} images)"
            yield from _quality(f"{where} on {images}", part.results.mean.model)
        case Video():
            for name, run in part.results.runs.items():
                yield from _rate(f"{where} on {settings['file']}, sink {name}", run.fps)
        case Flicker():
            mean = part.results.mean
            for place, change in (
                ("whole frames", mean.ratio),
                ("static regions", mean.static_ratio),
            ):
                if change is not None:
                    name = f"{where} on {settings['file']}, {place}, output / input"
                    yield Figure(name, change, f"{change:.2f}×")
        case Reuse():
            for shot in part.results.shots:
                name = f"{where} on {shot.name}, with reuse / without"
                yield Figure(name, 1 / shot.speed_up, f"{1 / shot.speed_up:.2f}×")
        case Stream():
            for rate in part.results.rates:
                if rate.glass_to_glass is not None:
                    name = f"{where} at {rate.source_fps:g} fps"
                    yield _time(name, rate.glass_to_glass, rate.latencies_ms)
        case Train():
            yield from _rate(where, part.results.images_per_s)


def differ(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether two sets of samples differ by more than chance (Mann–Whitney, two-sided)."""
    values = np.concatenate([a, b])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    # Equal values share the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = len(a), len(b)
    statistic = float(ranks[:n].sum()) - n * (n + 1) / 2
    total = n + m
    ties = float((counts.astype(float) ** 3 - counts).sum())
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return False
    z = abs(statistic - n * m / 2) / math.sqrt(variance)
    return math.erfc(z / math.sqrt(2)) < _SIGNIFICANCE


def _change(old: Figure, new: Figure) -> Change:
    noise = bool(old.samples and new.samples) and not differ(old.samples, new.samples)
    return Change(old, new, new.cost / old.cost - 1, noise)


def _time(name: str, summary: Summary, samples: Sequence[float]) -> Figure:
    p50 = summary.p50_ms
    return Figure(name, p50, f"{p50:.2f} ms", tuple(samples))


def _espcn(model: EspcnRow) -> Iterator[Figure]:
    for form, timed in (("network", model.network), ("frames", model.frames)):
        ratio = timed.median_of_ratios
        name = f"espcn: {model_name(model.model)}, {form} / ESPCN ×{model.scale}"
        yield Figure(name, ratio, f"{ratio:.2f}×")


def _rate(name: str, per_second: float | None) -> Iterator[Figure]:
    if per_second:
        yield Figure(name, 1 / per_second, f"{per_second:.2f} /s")


def _quality(name: str, scores: Scores) -> Iterator[Figure]:
    if (psnr := scores.psnr_db) is not None:
        yield Figure(name, 10 ** (-psnr / 10), f"{psnr:.2f} dB")


def _footage(model: FootageModel) -> Iterator[Figure]:
    name = f"footage: {model.model.name}"
    for coding, scores in model.mean.items():
        yield from _quality(f"{name}, {coding}", scores)


def _notes(old: Sequence[AnySingle], new: Sequence[AnySingle]) -> Iterator[str]:
    machines = [
        {(p.machine.cpu, p.machine.cores, p.machine.gpus) for p in side} for side in (old, new)
    ]
    if machines[0] != machines[1]:
        yield "measured on different machines: times cannot be compared"
    warned = sum(len(part.warnings) for part in (*old, *new))
    if warned:
        yield f"the reports hold {warned} warnings about how reliable they are: read them first"
