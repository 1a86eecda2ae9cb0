"""The tables that set many models beside each other: quality, ESPCN's time, real time."""

from __future__ import annotations

from collections.abc import Sequence

from ...common.table import Table, or_dash
from .documents import Quality
from .quality_results import FootageEntry, FootageResults, QualityResults, Scores
from .results import EspcnResults, EspcnRow, Model, RealtimeResults


def quality_of_image(results: QualityResults) -> list[Table]:
    """Every image of one model and one set."""
    images = [*((image.name, image) for image in results.images), ("mean", results.mean)]
    features = results.mean.model.feature_distance is not None
    columns = ["image", "Y-PSNR, dB", "Y-SSIM", "bicubic, dB", "bicubic SSIM", "gain, dB"]
    if features:
        columns += ["relu2_2", "bicubic relu2_2"]
    rows = []
    for name, image in images:
        model, bicubic = image.model, image.bicubic
        cells = [name]
        for scores in (model, bicubic):
            cells += [_decibels(scores), f"{scores.ssim:.4f}"]
        cells.append(_gain(model, bicubic))
        if features:
            cells += [_features(scores) for scores in (model, bicubic)]
        rows.append(tuple(cells))
    return [Table(tuple(columns), tuple(rows))]


def quality_of_models(documents: Sequence[Quality]) -> list[Table]:
    """Means of several models on one set, by scale, each scale headed by bicubic."""
    means = [document.results.mean for document in documents]
    features = any(mean.model.feature_distance is not None for mean in means)
    columns = ["mean of all images", "Y-PSNR, dB", "Y-SSIM", "gain over bicubic, dB"]
    columns += ["relu2_2 distance"] if features else []
    rows, headed = [], set()
    for document in sorted(documents, key=lambda document: document.model.scale):
        mean, scale = document.results.mean, document.model.scale
        if scale not in headed:
            headed.add(scale)
            rows.append(_mean_row(f"bicubic ×{scale}", mean.bicubic, None, features))
        name = model_name(document.model)
        rows.append(_mean_row(name, mean.model, mean.bicubic, features))
    return [Table(tuple(columns), tuple(rows))]


def footage(results: FootageResults) -> list[Table]:
    """Models beside bicubic on clean and coded clips: Y-PSNR, then Y-SSIM, then flicker."""
    codings = results.codings
    named: list[tuple[str, FootageEntry]] = [("bicubic", results.bicubic)]
    named += [(model_name(entry.model), entry) for entry in results.models]
    psnr, ssim = [], []
    for name, entry in named:
        coded, flicker = entry.coded_mean_db, entry.static_flicker
        means = [entry.mean.get(coding) for coding in codings]
        cells = [or_dash(mean.psnr_db if mean else None, ".2f") for mean in means]
        more = [or_dash(value, ".2f") for value in (coded, flicker)]
        psnr.append((name, *cells, *more))
        ssim.append((name, *(or_dash(mean.ssim if mean else None, ".4f") for mean in means)))
    columns = ("Y-PSNR, dB", *codings, "coded mean", "flicker / bicubic")
    return [Table(columns, tuple(psnr)), Table(("Y-SSIM", *codings), tuple(ssim))]


def espcn_order(results: EspcnResults) -> list[EspcnRow]:
    """The models by scale, the fastest of each first."""
    return sorted(
        results.models,
        key=lambda model: (model.scale, model.network.median_of_ratios),
    )


def espcn(results: EspcnResults) -> list[Table]:
    """Times relative to ESPCN, the fastest of each scale first."""
    rows = []
    for reference in results.references:
        scale = reference.scale
        models = [model for model in espcn_order(results) if model.scale == scale]
        for model in (reference, *models):
            name = f"ESPCN ×{scale}" if model is reference else model_name(model.model)
            cells = []
            for timed in (model.network, model.frames):
                cells.append(f"{timed.latency.p50_ms:.2f}")
                cells += [f"{timed.ratio_of_medians:.2f}×", f"{timed.median_of_ratios:.2f}×"]
            rows.append((name, *cells))
    columns = (
        "time relative to ESPCN",
        "network alone, ms",
        "medians",
        "paired",
        "with frames, ms",
        "medians",
        "paired",
    )
    return [Table(columns, tuple(rows))]


def realtime(results: RealtimeResults) -> list[Table]:
    """The largest outputs, by rate."""
    first = results.models[0]
    rates = list(first.inference.largest)
    columns = [f"inference alone, {rate} fps" for rate in rates]
    if first.file_to_file is not None:
        columns += [f"file to file, {rate} fps" for rate in rates]
    rows = []
    for model in results.models:
        largest = [model.inference.largest.get(rate) for rate in rates]
        if first.file_to_file is not None:
            files = model.file_to_file.largest if model.file_to_file else {}
            largest += [files.get(rate) for rate in rates]
        shown = ["–" if size is None else f"{size[0]}×{size[1]}" for size in largest]
        rows.append((model_name(model.model), *shown))
    return [Table(("largest output", *columns), tuple(rows))]


def model_name(model: Model) -> str:
    """The name, with the precision unless it is fp32 or in the name."""
    name, precision = model.name, model.precision
    return name if precision == "fp32" or precision in name else f"{name}, {precision}"


def _mean_row(name: str, scores: Scores, bicubic: Scores | None, features: bool) -> tuple[str, ...]:
    gain = "" if bicubic is None else _gain(scores, bicubic)
    cells = (name, _decibels(scores), f"{scores.ssim:.4f}", gain)
    return (*cells, _features(scores)) if features else cells


def _gain(model: Scores, bicubic: Scores) -> str:
    if model.psnr_db is None or bicubic.psnr_db is None:
        return "–"
    return f"{model.psnr_db - bicubic.psnr_db:+.2f}"


def _features(scores: Scores) -> str:
    return or_dash(scores.feature_distance, ".1f")


def _decibels(scores: Scores) -> str:
    return "∞" if scores.psnr_db is None else f"{scores.psnr_db:.2f}"
