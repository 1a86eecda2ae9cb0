"""The tables that set many models beside each other: quality, ESPCN's time, real time."""

from __future__ import annotations

from collections.abc import Sequence

from .model import Document
from .table import Table, or_dash


def quality_of_image(results: Document) -> list[Table]:
    """Every image of one model and one set."""
    images = [*results["images"], {"name": "mean", **results["mean"]}]
    features = "feature_distance" in results["mean"]["model"]
    columns = ["image", "Y-PSNR, dB", "Y-SSIM", "bicubic, dB", "bicubic SSIM", "gain, dB"]
    if features:
        columns += ["relu2_2", "bicubic relu2_2"]
    rows = []
    for image in images:
        model, bicubic = image["model"], image["bicubic"]
        cells = [image["name"]]
        for scores in (model, bicubic):
            cells += [_decibels(scores), f"{scores['ssim']:.4f}"]
        cells.append(_gain(model, bicubic))
        if features:
            cells += [_features(scores) for scores in (model, bicubic)]
        rows.append(tuple(cells))
    return [Table(tuple(columns), tuple(rows))]


def quality_of_models(documents: Sequence[Document]) -> list[Table]:
    """Means of several models on one set, by scale, each scale headed by bicubic."""
    means = [document["results"]["mean"] for document in documents]
    features = any("feature_distance" in mean["model"] for mean in means)
    columns = ["mean of all images", "Y-PSNR, dB", "Y-SSIM", "gain over bicubic, dB"]
    columns += ["relu2_2 distance"] if features else []
    rows, headed = [], set()
    for document in sorted(documents, key=lambda document: int(document["model"]["scale"])):
        mean, scale = document["results"]["mean"], document["model"]["scale"]
        if scale not in headed:
            headed.add(scale)
            rows.append(_mean_row(f"bicubic ×{scale}", mean["bicubic"], None, features))
        name = model_name(document["model"])
        rows.append(_mean_row(name, mean["model"], mean["bicubic"], features))
    return [Table(tuple(columns), tuple(rows))]


def footage(results: Document) -> list[Table]:
    """Models beside bicubic on clean and coded clips: Y-PSNR, then Y-SSIM, then flicker."""
    codings = results["codings"]
    named = [("bicubic", results["bicubic"])]
    named += [(model_name(entry["model"]), entry) for entry in results["models"]]
    psnr, ssim = [], []
    for name, entry in named:
        coded, flicker = entry["coded_mean_db"], entry["static_flicker"]
        means = [entry["mean"].get(coding, {}) for coding in codings]
        cells = [or_dash(mean.get("psnr_db"), ".2f") for mean in means]
        more = [or_dash(value, ".2f") for value in (coded, flicker)]
        psnr.append((name, *cells, *more))
        ssim.append((name, *(or_dash(mean.get("ssim"), ".4f") for mean in means)))
    columns = ("Y-PSNR, dB", *codings, "coded mean", "flicker / bicubic")
    return [Table(columns, tuple(psnr)), Table(("Y-SSIM", *codings), tuple(ssim))]


def espcn_order(results: Document) -> list[Document]:
    """The models by scale, the fastest of each first."""
    return sorted(
        results["models"],
        key=lambda model: (int(model["scale"]), float(model["network"]["median_of_ratios"])),
    )


def espcn(results: Document) -> list[Table]:
    """Times relative to ESPCN, the fastest of each scale first."""
    rows = []
    for reference in results["references"]:
        scale = reference["scale"]
        models = [model for model in espcn_order(results) if model["scale"] == scale]
        for model in (reference, *models):
            name = f"ESPCN ×{scale}" if model is reference else model_name(model["model"])
            cells = []
            for form in ("network", "frames"):
                timed = model[form]
                cells.append(f"{timed['latency']['p50_ms']:.2f}")
                cells += [f"{timed[k]:.2f}×" for k in ("ratio_of_medians", "median_of_ratios")]
            rows.append((name, *cells))
    columns = ("time relative to ESPCN", "network alone, ms", "medians", "paired",
               "with frames, ms", "medians", "paired")  # fmt: skip
    return [Table(columns, tuple(rows))]


def realtime(results: Document) -> list[Table]:
    """The largest outputs, by rate."""
    kinds = {"inference": "inference alone", "file_to_file": "file to file"}
    rates = list(results["models"][0]["inference"]["largest"])
    present = [kind for kind in kinds if results["models"][0][kind] is not None]
    columns = [f"{kinds[kind]}, {rate} fps" for kind in present for rate in rates]
    rows = []
    for model in results["models"]:
        held = [model[kind]["largest"] if model[kind] else {} for kind in present]
        sizes = [largest.get(rate) for largest in held for rate in rates]
        shown = ["–" if size is None else f"{size[0]}×{size[1]}" for size in sizes]
        rows.append((model_name(model["model"]), *shown))
    return [Table(("largest output", *columns), tuple(rows))]


def model_name(model: Document) -> str:
    """The name, with the precision unless it is fp32 or in the name."""
    name, precision = str(model["name"]), str(model["precision"])
    return name if precision == "fp32" or precision in name else f"{name}, {precision}"


def _mean_row(
    name: str, scores: Document, bicubic: Document | None, features: bool
) -> tuple[str, ...]:
    gain = "" if bicubic is None else _gain(scores, bicubic)
    cells = (name, _decibels(scores), f"{scores['ssim']:.4f}", gain)
    return (*cells, _features(scores)) if features else cells


def _gain(model: Document, bicubic: Document) -> str:
    both = model["psnr_db"] is not None and bicubic["psnr_db"] is not None
    return f"{model['psnr_db'] - bicubic['psnr_db']:+.2f}" if both else "–"


def _features(scores: Document) -> str:
    return f"{scores['feature_distance']:.1f}" if "feature_distance" in scores else "–"


def _decibels(scores: Document) -> str:
    return "∞" if scores["psnr_db"] is None else f"{scores['psnr_db']:.2f}"
