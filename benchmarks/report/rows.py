"""The tables of each kind of report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...common.table import Table, or_dash
from ...common.text import counted
from . import model_rows
from .documents import AnySingle
from .quality_results import FlickerResults
from .results import (
    Case,
    LatencyResults,
    OverheadResults,
    Peak,
    ReuseResults,
    Start,
    StreamResults,
    TrainResults,
    VideoResults,
)


def tables_of(document: AnySingle) -> list[Table]:
    """The tables of one report."""
    render: dict[str, Callable[[Any], list[Table]]] = {
        "latency": _latency,
        "overhead": _overhead,
        "espcn": model_rows.espcn,
        "realtime": model_rows.realtime,
        "quality": model_rows.quality_of_image,
        "video": _video,
        "flicker": _flicker,
        "footage": model_rows.footage,
        "reuse": _reuse,
        "stream": _stream,
        "train": _train,
        "pictures": lambda results: [],
    }
    return render[document.kind](document.results)


def short_names(names: Sequence[str]) -> list[str]:
    """Names of cases without what all of them share; a single one stays as it is."""
    split = [name.split(", ") for name in names]
    if len({len(parts) for parts in split}) > 1 or len(names) == 1:
        return list(names)
    varying = [len(set(column)) > 1 for column in zip(*split, strict=True)]
    return [
        ", ".join(part for part, varies in zip(parts, varying, strict=True) if varies)
        for parts in split
    ]


_Named = Sequence[tuple[str, Case]]


def _latency(results: LatencyResults) -> list[Table]:
    cases = list(
        zip(short_names([case.name for case in results.cases]), results.cases, strict=True)
    )
    columns = ("p50", "p90", "p95", "p99", "max", "mean")
    rows = []
    for name, case in cases:
        summary = case.latency
        values = tuple(f"{getattr(summary, f'{column}_ms'):.2f}" for column in columns)
        rows.append((name, *values, f"{summary.cv:.1%}", f"{summary.fps:.1f}", str(summary.count)))
    tables = [Table(("latency, ms per call", *columns, "CV", "fps", "calls"), tuple(rows))]
    misses = [(name, case.latency.deadline_misses) for name, case in cases]
    deadlines = list(dict.fromkeys(rate for _, shares in misses for rate in shares))
    late = [
        (name, *(or_dash(shares.get(rate), ".1%") for rate in deadlines)) for name, shares in misses
    ]
    tables.append(Table(("too late for", *(f"{rate} fps" for rate in deadlines)), tuple(late)))
    return [
        *tables,
        *_limits(cases),
        *_peaks(results.peaks),
        *_stages(cases),
        *_starts(cases),
        *_agreements(cases),
    ]


def _limits(cases: _Named) -> list[Table]:
    rows = []
    for name, case in cases:
        if (roof := case.roofline) is not None:
            values = (
                f"{roof.operations / 1e9:.2f}",
                f"{roof.layer_bytes / 2**20:.1f}",
                f"{roof.limit_ms:.2f}",
                f"{roof.share_of_limit:.0%}",
            )
            rows.append((name, *values, roof.bound_by))
    columns = ("", "Gop", "MiB, by layer", "limit, ms", "share of limit", "bound by")
    return [Table(columns, tuple(rows))] if rows else []


def _peaks(peaks: Sequence[Peak]) -> list[Table]:
    rows = tuple(
        (
            f"{peak.provider}, {peak.precision}, {counted(peak.threads, 'thread')}",
            f"{peak.gemm_ops / 1e9:.1f}",
            f"{peak.convolution_ops / 1e9:.1f}",
            f"{peak.copy_bytes / 1e9:.1f}",
        )
        for peak in peaks
    )
    columns = ("measured peak", "matrix product, Gop/s", "convolution, Gop/s", "copy, GB/s")
    return [Table(columns, rows)] if rows else []


def _stages(cases: _Named) -> list[Table]:
    staged = [(name, case.stages_ms) for name, case in cases if case.stages_ms]
    stages = list(dict.fromkeys(stage for _, times in staged for stage in times))
    rows = [
        (name, *(or_dash(times.get(stage), ".2f") for stage in stages)) for name, times in staged
    ]
    return [Table(("stages, median ms", *stages), tuple(rows))] if rows else []


def _starts(cases: _Named) -> list[Table]:
    starts = [(name, case.start) for name, case in cases if case.start is not None]
    columns = [
        "in a new process",
        "load, ms",
        "first frame, ms",
        "cold start, ms",
        "peak memory, MiB",
    ]
    gpu = any(start.device_memory_bytes is not None for _, start in starts)
    builds = any(start.engine_build_ms is not None for _, start in starts)
    columns += ["GPU memory, MiB"] * gpu + ["engine build, s"] * builds
    rows = []
    for name, start in starts:
        times = (start.load_ms, start.first_frame_ms, start.cold_start_ms)
        cells = [f"{value:.0f}" for value in times]
        cells.append(_mebibytes(start.peak_rss_bytes))
        cells += [_mebibytes(start.device_memory_bytes)] * gpu + [_build(start)] * builds
        rows.append((name, *cells))
    return [Table(tuple(columns), tuple(rows))] if rows else []


def _agreements(cases: _Named) -> list[Table]:
    rows = []
    for name, case in cases:
        if (same := case.agreement) is not None:
            psnr = "∞" if same.psnr_db is None else f"{same.psnr_db:.1f}"
            rows.append((name, str(same.max_abs), f"{same.share_within_1:.3%}", psnr))
    columns = ("same image as the first?", "largest difference", "within 1 code", "PSNR, dB")
    return [Table(columns, tuple(rows))] if rows else []


def _build(start: Start) -> str:
    """Seconds, and whether the first frame waited for them or the engine lay in the cache."""
    if (build_ms := start.engine_build_ms) is None:
        return "–"
    waited = start.load_ms + start.first_frame_ms >= build_ms
    return f"{build_ms / 1000:.1f} {'(now)' if waited else '(earlier)'}"


def _mebibytes(size: int | None) -> str:
    return "–" if size is None else f"{size / 2**20:.0f}"


def _overhead(results: OverheadResults) -> list[Table]:
    rows = []
    for name, variant in results.variants.items():
        summary = variant.latency
        times = tuple(f"{v:.2f}" for v in (summary.p50_ms, summary.p95_ms, summary.mean_ms))
        ratios = (f"{variant.ratio_of_medians:.2f}×", f"{variant.median_of_ratios:.2f}×")
        rows.append((name, *times, f"{summary.cv:.1%}", *ratios))
    columns = ("", "p50, ms", "p95, ms", "mean, ms", "CV", "medians / bare", "paired / bare")
    agreement = results.agreement
    same = (
        ("largest difference, codes", str(agreement.max_abs)),
        ("values within 1 code", f"{agreement.share_within_1:.4%}"),
    )
    return [Table(columns, tuple(rows)), Table(("Upscaler and NumPy path", "value"), same)]


def _video(results: VideoResults) -> list[Table]:
    runs = results.runs
    stages = list(next(iter(runs.values())).occupancy)
    rows = [
        (
            name,
            or_dash(run.fps, ".2f"),
            or_dash(run.share_of_inference_rate, ".0%"),
            "–".join(or_dash(share, ".0%") for share in _ends(run.shares_of_inference_rate)),
            or_dash(run.reused_share, ".0%"),
            or_dash(run.start_up_seconds, ".2f"),
            str(run.frames),
            *(or_dash(run.occupancy.get(stage), ".0%") for stage in stages),
            run.bottleneck,
        )
        for name, run in runs.items()
    ]
    columns = (
        "sink",
        "fps, start-up cancelled",
        "of upscaling alone",
        "in all rounds",
        "pixels reused",
        "start-up, s",
        "frames",
        *(f"{stage} busy" for stage in stages),
        "bottleneck",
    )
    return [Table(columns, tuple(rows))]


def _ends(shares: Sequence[float | None]) -> tuple[float | None, float | None]:
    """The lowest and the highest share of those that are known."""
    known = [share for share in shares if share is not None]
    return (min(known), max(known)) if known else (None, None)


def _stream(results: StreamResults) -> list[Table]:
    rows = []
    for run in results.rates:
        seen = run.glass_to_glass
        percentiles = (seen.p50_ms, seen.p95_ms, seen.p99_ms) if seen else (None,) * 3
        times = (or_dash(value, ".1f") for value in percentiles)
        shown = (or_dash(run.shown_fps, ".1f"), str(run.dropped), f"{run.drop_share:.1%}")
        jitter = or_dash(run.jitter_ms, ".2f")
        rows.append((f"{run.source_fps:g} fps", *shown, *times, jitter))
    columns = (
        "source",
        "shown, fps",
        "dropped",
        "share",
        "glass to glass p50, ms",
        "p95",
        "p99",
        "jitter, ms",
    )
    return [Table(columns, tuple(rows))]


def _reuse(results: ReuseResults) -> list[Table]:
    rows = [
        (
            shot.name,
            f"{shot.width}×{shot.height}",
            str(shot.frames),
            f"{shot.reused_share:.0%}",
            f"{shot.speed_up:.2f}",
            f"{shot.frame_ms:.2f}",
            f"{shot.reusing_frame_ms:.2f}",
        )
        for shot in results.shots
    ]
    columns = (
        "shot",
        "input",
        "frames",
        "pixels reused",
        "times as fast",
        "ms without reuse",
        "ms with it",
    )
    return [Table(columns, tuple(rows))]


def _flicker(results: FlickerResults) -> list[Table]:
    mean = results.mean
    rows = [
        (where, f"{share:.0%}", *(or_dash(value, ".2f") for value in values))
        for where, share, values in (
            ("whole frames", 1.0, (mean.input, mean.output, mean.ratio)),
            (
                "static regions",
                mean.static_share,
                (mean.static_input, mean.static_output, mean.static_ratio),
            ),
        )
    ]
    columns = (
        "change between frames, 8-bit codes",
        "of the area",
        "input",
        "output",
        "output / input",
    )
    time = (("seconds per frame, median", f"{results.seconds_per_frame:.3f}"),)
    return [Table(columns, tuple(rows)), Table(("", "value"), time)]


def _train(results: TrainResults) -> list[Table]:
    rows = (
        ("images per second", f"{results.images_per_s:.2f}"),
        ("step, median ms", f"{results.step.p50_ms:.1f}"),
        ("step, p95 ms", f"{results.step.p95_ms:.1f}"),
        ("waiting for data", f"{results.data_wait_share:.1%}"),
    )
    return [Table(("", "value"), rows)]
