"""The rows of each group of parts as Markdown."""

from __future__ import annotations

from collections import Counter
from typing import Any

_Row = dict[str, Any]


def cell(value: object) -> str:
    """A value inside a table."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def environment(rows: list[_Row]) -> list[str]:
    """What is there, what works, and what the device can do."""
    lines = _table(
        ["what", ""], [[row["name"], row["value"]] for row in rows if row["kind"] == "fact"]
    )
    backends = [row for row in rows if row["kind"] == "backend"]
    if backends:
        lines += [
            "",
            *_table(
                ["backend", "works", ""],
                [
                    [row["name"], "yes" if row["reason"] is None else "no", row["reason"] or ""]
                    for row in backends
                ],
            ),
        ]
    return lines


def tests(rows: list[_Row]) -> list[str]:
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
            *_table(
                ["test", "", "why"], [[row["test"], row["outcome"], row["why"]] for row in wrong]
            ),
        ]
    reasons = Counter(row["why"] for row in ended.values() if row["outcome"] == "skipped")
    lines += [f"- skipped {count}: {cell(why)}" for why, count in reasons.most_common()]
    return lines


def latency(rows: list[_Row]) -> list[str]:
    """The median of each model by each engine, and what an engine could not."""
    cases = [row for row in rows if row["kind"] == "case"]
    engines = list(dict.fromkeys(row["engine"] for row in cases))
    models = list(dict.fromkeys(row["model"] for row in cases))
    p50 = {(row["model"], row["engine"]): row for row in cases}
    lines = []
    if cases:
        sizes = sorted({row["size"] for row in cases})
        lines += [f"p50 in ms of a call with uint8 frames, {', '.join(sizes)} in", ""]
        lines += _table(
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


def _latency(row: _Row | None) -> str:
    if row is None:
        return ""
    wrong = row["agreement"] is not None and row["agreement"]["share_within_1"] < row["least_share"]
    return f"{row['p50_ms']:.3f}{' (another image)' if wrong else ''}"


def video(rows: list[_Row]) -> list[str]:
    """Frames per second by sink."""
    return _table(
        ["model", "backend", "to", "fps", "of the upscaler's own rate", ""],
        [
            [
                row["model"],
                row["backend"],
                row["sink"],
                row["fps"],
                row["share"],
                row.get("note", ""),
            ]
            for row in rows
            if row["kind"] == "run"
        ],
    )


def training(rows: list[_Row]) -> list[str]:
    """Pictures per second, and the share of the rate of large matrices."""
    return _table(
        ["preset", "device", "crops/s", "step, ms", "waiting for data", "TFLOP/s", "of the peak"],
        [
            [
                row["preset"],
                row["device"],
                row["images_per_s"],
                row["step_ms"],
                row["data_wait_share"],
                row["tflops"],
                row["share_of_peak"],
            ]
            for row in rows
            if row["kind"] == "speed"
        ],
    )


def zoo(rows: list[_Row]) -> list[str]:
    """How far each model came."""
    return _table(
        ["model", "steps", "crops/s", "first Y-PSNR", "last", ""],
        [
            [
                row["model"],
                row["steps"],
                row["images_per_s"],
                row["first_db"],
                row["last_db"],
                row.get("note", ""),
            ]
            for row in rows
            if row["kind"] == "model"
        ],
    )


def _table(head: list[str], rows: list[list[object]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [
        f"| {' | '.join('' if value is None else cell(value) for value in row)} |" for row in rows
    ]
