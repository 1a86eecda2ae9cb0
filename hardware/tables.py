"""The rows of each group of parts as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Any

from framelift.common.table import Table, escape_markdown

from .results import Row

_OPTIONAL = "note"


def cell(value: object) -> str:
    """A value as Markdown shows it."""
    return escape_markdown(_text(value))


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def environment(rows: list[Row]) -> list[str]:
    """What is there, what works, and what the device can do."""
    lines = _fields(rows, "fact", {"what": "name", "": "value"})
    backends = [row for row in rows if row["kind"] == "backend"]
    if backends:
        lines += [
            "",
            *table(
                ["backend", "works", ""],
                [
                    [row["name"], "yes" if row["reason"] is None else "no", row["reason"] or ""]
                    for row in backends
                ],
            ),
        ]
    return lines


def tests(rows: list[Row]) -> list[str]:
    """How many passed, and those that did not."""
    ended = {row["test"]: row for row in rows if row["kind"] == "test"}
    started = [row["test"] for row in rows if row["kind"] == "started"]
    counts = Counter(row["outcome"] for row in ended.values())
    lines = [", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "none"]
    cut_off = [test for test in started if test not in ended]
    if cut_off:
        lines += ["", f"cut off in `{cut_off[-1]}`"]
    wrong = [row for row in ended.values() if row["outcome"] not in ("passed", "skipped")]
    if wrong:
        lines += [
            "",
            *table(
                ["test", "", "why"], [[row["test"], row["outcome"], row["why"]] for row in wrong]
            ),
        ]
    reasons = Counter(row["why"] for row in ended.values() if row["outcome"] == "skipped")
    lines += [f"- skipped {count}: {cell(why)}" for why, count in reasons.most_common()]
    return lines


def latency(rows: list[Row]) -> list[str]:
    """The median of each model by each engine, and what an engine could not."""
    cases = [row for row in rows if row["kind"] == "case"]
    engines = list(dict.fromkeys(row["engine"] for row in cases))
    models = list(dict.fromkeys(row["model"] for row in cases))
    p50 = {(row["model"], row["engine"]): row for row in cases}
    lines = []
    if cases:
        sizes = sorted({row["size"] for row in cases})
        lines += [f"p50 in ms of a call with uint8 frames, {', '.join(sizes)} in", ""]
        lines += table(
            ["model", *engines],
            [
                [model, *(_latency(p50.get((model, engine))) for engine in engines)]
                for model in models
            ],
        )
    facts = {row["engine"]: row for row in cases}
    lines += [
        f"- {engine}: {cell(row['describe'])}"
        for engine, row in facts.items()
        if row.get("describe")
    ]
    for row in rows:
        if row["kind"] == "left out":
            where = f"{row['engine']}, {row['model']}" if row.get("model") else row["engine"]
            lines.append(f"- {where}: {cell(row['reason'])}")
    return lines


def _latency(row: Row | None) -> str:
    if row is None:
        return ""
    wrong = row["agreement"] is not None and row["agreement"]["share_within_1"] < row["least_share"]
    return f"{row['p50_ms']:.3f}{' (another image)' if wrong else ''}"


def video(rows: list[Row]) -> list[str]:
    """Frames per second by sink."""
    columns = {
        "model": "model",
        "backend": "backend",
        "to": "sink",
        "fps": "fps",
        "of the upscaler's own rate": "share",
        "": "note",
    }
    return _fields(rows, "run", columns)


def training(rows: list[Row]) -> list[str]:
    """Pictures per second, and the share of the rate of large matrices."""
    columns = {
        "preset": "preset",
        "device": "device",
        "crops/s": "images_per_s",
        "step, ms": "step_ms",
        "waiting for data": "data_wait_share",
        "TFLOP/s": "tflops",
        "of the peak": "share_of_peak",
    }
    return _fields(rows, "speed", columns)


def zoo(rows: list[Row]) -> list[str]:
    """How far each model came."""
    columns = {
        "model": "model",
        "steps": "steps",
        "crops/s": "images_per_s",
        "first Y-PSNR": "first_db",
        "last": "last_db",
        "": "note",
    }
    return _fields(rows, "model", columns)


def _fields(rows: list[Row], kind: str, columns: dict[str, str]) -> list[str]:
    """A table of the rows of one kind; `columns` has the field under each heading."""
    fields = list(columns.values())
    return table(
        list(columns),
        [
            [row.get(field) if field == _OPTIONAL else row[field] for field in fields]
            for row in rows
            if row["kind"] == kind
        ],
    )


def table(head: list[str], rows: list[list[Any]]) -> list[str]:
    """The lines of a table in Markdown; `None` is an empty cell."""
    texts = (tuple("" if value is None else _text(value) for value in row) for row in rows)
    return Table(tuple(head), tuple(texts)).markdown().splitlines()
