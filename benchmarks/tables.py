"""Renders a report document as text for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .report import Document


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; the first column is left-aligned, the others right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def to_text(document: Document) -> str:
    """The report for a terminal."""
    lines = [_title(document), *(f"  {fact}" for fact in _facts(document)), ""]
    for table in _tables(document):
        widths = [max(map(len, column)) for column in zip(table.columns, *table.rows, strict=True)]
        for row in (table.columns, *table.rows):
            cells = [
                cell.ljust(width) if index == 0 else cell.rjust(width)
                for index, (cell, width) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
    lines += [f"warning: {warning}" for warning in document["warnings"]]
    return "\n".join(lines).rstrip() + "\n"


def to_markdown(document: Document) -> str:
    """The report as Markdown."""
    lines = [f"### {_title(document)}", "", *(f"- {fact}" for fact in _facts(document)), ""]
    for table in _tables(document):
        lines.append("| " + " | ".join(_escape(cell) for cell in table.columns) + " |")
        lines.append("|---" + "|--:" * (len(table.columns) - 1) + "|")
        for row in table.rows:
            lines.append("| " + " | ".join(_escape(cell) for cell in row) + " |")
        lines.append("")
    lines += [f"> Warning: {warning}" for warning in document["warnings"]]
    return "\n".join(lines).rstrip() + "\n"


def _title(document: Document) -> str:
    model, settings = document["model"], document["settings"]
    if document["kind"] == "quality":
        return f"quality of {model['name']} (×{model['scale']}) on {settings['images']}"
    width, height, scale = settings["width"], settings["height"], model["scale"]
    batch = settings.get("batch", 1)
    sizes = f"{width}×{height} → {width * scale}×{height * scale}"
    return f"{document['kind']} of {model['name']}, {sizes}" + (
        f", batch {batch}" if batch > 1 else ""
    )


def _facts(document: Document) -> list[str]:
    machine, runtime = document["machine"], document["runtime"]
    memory = machine["memory_bytes"]
    hardware = [machine["cpu"], _counted(machine["cores"], "core")]
    if memory is not None:
        hardware.append(f"{memory / 2**30:.0f} GiB")
    hardware += machine["gpus"]
    engine = [str(runtime["backend"])]
    engine += [str(runtime[key]) for key in ("engine", "device") if key in runtime]
    if "threads" in runtime:
        engine.append(_counted(runtime["threads"], "thread"))
    facts = ["machine: " + ", ".join(hardware), "system: " + machine["os"]]
    facts.append("backend: " + ", ".join(engine))
    if runtime["selection"]:
        facts.append("chosen: " + runtime["selection"])
    return facts


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _tables(document: Document) -> list[Table]:
    render: dict[str, Callable[[Document], list[Table]]] = {
        "latency": _latency_tables,
        "overhead": _overhead_tables,
        "quality": _quality_tables,
    }
    return render[document["kind"]](document["results"])


def _latency_tables(results: Document) -> list[Table]:
    summary = results["latency"]
    names = ("p50", "p90", "p95", "p99", "max", "mean")
    values = tuple(f"{summary[f'{name}_ms']:.2f}" for name in names)
    latency = Table(
        ("latency, ms", *names, "CV", "fps"),
        (("per call", *values, f"{summary['cv']:.1%}", f"{summary['fps']:.1f}"),),
    )
    facts = [
        ("calls measured", str(summary["count"])),
        ("load, ms", f"{results['load_ms']:.1f}"),
        ("first frame, ms", f"{results['first_frame_ms']:.1f}"),
    ]
    if results["peak_rss_bytes"] is not None:
        facts.append(("peak memory, MiB", f"{results['peak_rss_bytes'] / 2**20:.0f}"))
    facts += [
        (f"late for {rate} fps", f"{share:.1%}")
        for rate, share in summary["deadline_misses"].items()
    ]
    return [latency, Table(("", "value"), tuple(facts))]


def _overhead_tables(results: Document) -> list[Table]:
    rows = []
    for name, variant in results["variants"].items():
        summary = variant["latency"]
        times = tuple(f"{summary[key]:.2f}" for key in ("p50_ms", "p95_ms", "mean_ms"))
        ratios = tuple(f"{variant[key]:.2f}×" for key in ("ratio_of_medians", "median_of_ratios"))
        rows.append((name, *times, f"{summary['cv']:.1%}", *ratios))
    columns = ("", "p50, ms", "p95, ms", "mean, ms", "CV", "medians / bare", "paired / bare")
    agreement = results["agreement"]
    same = (
        ("largest difference, codes", str(agreement["max_abs"])),
        ("values within 1 code", f"{agreement['share_within_1']:.4%}"),
    )
    return [Table(columns, tuple(rows)), Table(("Upscaler and NumPy path", "value"), same)]


def _quality_tables(results: Document) -> list[Table]:
    rows = [_quality_row(image["name"], image) for image in results["images"]]
    rows.append(_quality_row("mean", results["mean"]))
    columns = ("image", "Y-PSNR, dB", "Y-SSIM", "bicubic, dB", "bicubic SSIM", "gain, dB")
    return [Table(columns, tuple(rows))]


def _quality_row(name: str, scores: Document) -> tuple[str, ...]:
    model, bicubic = scores["model"], scores["bicubic"]
    values = [
        _decibels(model),
        f"{model['ssim']:.4f}",
        _decibels(bicubic),
        f"{bicubic['ssim']:.4f}",
    ]
    both = model["psnr_db"] is not None and bicubic["psnr_db"] is not None
    gain = f"{model['psnr_db'] - bicubic['psnr_db']:+.2f}" if both else "–"
    return (name, *values, gain)


def _decibels(scores: Document) -> str:
    return "∞" if scores["psnr_db"] is None else f"{scores['psnr_db']:.2f}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")
