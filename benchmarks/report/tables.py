"""Renders a report document as text for the terminal or as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ...common.text import printable
from .model import Document, parts
from .model_rows import model_name, quality_of_models
from .rows import counted, tables_of
from .table import Table


@dataclass(frozen=True)
class Section:
    """What is told under one title: of one report, or of several models' quality on one set.

    `facts` are those of the machine and the run that were not told before.
    """

    documents: list[Document]
    title: str
    facts: list[str]
    tables: list[Table]

    @property
    def kind(self) -> str:
        """The kind of its reports."""
        return str(self.documents[0]["kind"])

    @property
    def warnings(self) -> list[str]:
        """Those of its reports, each once."""
        return list(dict.fromkeys(w for document in self.documents for w in document["warnings"]))


def sections(documents: list[Document], *, told: Iterable[str] = ()) -> list[Section]:
    """The reports in order, each fact with the first that it belongs to."""
    known = set(told)
    result = []
    for group in _groups(documents):
        facts = [fact for document in group for fact in machine_facts(document)]
        facts += [fact for document in group for fact in run_facts(document)]
        new = [fact for fact in dict.fromkeys(facts) if fact not in known]
        known.update(new)
        if len(group) > 1:
            name, tables = f"quality on {_image_set(group[0])}", quality_of_models(group)
        else:
            name, tables = title(group[0]), tables_of(group[0])
        result.append(Section(group, name, new, tables))
    return result


def _groups(documents: list[Document]) -> list[list[Document]]:
    """Reports of quality on one set together, at the place of the first."""
    groups: list[list[Document]] = []
    sets: dict[str, list[Document]] = {}
    for document in documents:
        if document["kind"] != "quality":
            groups.append([document])
        elif (name := _image_set(document)) in sets:
            sets[name].append(document)
        else:
            sets[name] = [document]
            groups.append(sets[name])
    return groups


def _image_set(document: Document) -> str:
    settings = document["settings"]
    return f"{settings['images']} ({counted(settings['count'], 'image')})"


def to_text(document: Document) -> str:
    """The report for a terminal; a report of several documents gives them one after the other."""
    return "\n".join(_text(section) for section in sections(parts(document)))


def to_markdown(document: Document) -> str:
    """The report as Markdown."""
    return "\n".join(_markdown(section) for section in sections(parts(document)))


def title(document: Document) -> str:
    """What a report is about, in one line."""
    settings, kind = document["settings"], document["kind"]
    if kind == "latency":
        return _latency_title(document["results"]["cases"])
    if kind == "train":
        return f"training speed of {settings['config']}"
    if kind == "espcn":
        size = f"{settings['width']}×{settings['height']}"
        return f"time relative to ESPCN, {size} input"
    if kind == "realtime":
        file = settings["file"]
        return "largest output in real time" + (f", frames of {file}" if file else "")
    if kind == "footage":
        results = document["results"]
        clips = counted(len(results["clips"]), "clip")
        return f"coded footage, ×{results['scale']}, {clips}"
    model = document["model"]
    name = model_name(model) + (f" (×{model['scale']})" if model["scale"] > 1 else "")
    if kind == "quality":
        return f"quality of {name} on {settings['images']}"
    if kind in ("video", "flicker"):
        return f"{kind}: {name} on {settings['file']}"
    if kind == "pictures":
        return f"pictures by {name}"
    width, height, scale = settings["width"], settings["height"], model["scale"]
    what = "live stream" if kind == "stream" else kind
    sizes = f"{width}×{height} → {width * scale}×{height * scale}"
    return f"{what} of {model['name']}, {sizes}"


def machine_facts(document: Document) -> list[str]:
    """Where it was measured."""
    machine = document["machine"]
    memory = machine["memory_bytes"]
    hardware = [machine["cpu"], counted(machine["cores"], "core")]
    hardware += [f"with {', '.join(machine['instructions'])}"] if machine["instructions"] else []
    if memory is not None:
        hardware.append(f"{memory / 2**30:.0f} GiB")
    hardware += machine["gpus"]
    return ["machine: " + ", ".join(hardware), "system: " + machine["os"]]


def run_facts(document: Document) -> list[str]:
    """What ran: backends, engines, why they were chosen."""
    results = document["results"]
    runtimes = [case["runtime"] for case in (*results.get("cases", []), *results.get("models", []))]
    if "runtime" in document:
        runtimes.append(document["runtime"])
    facts = [line for runtime in runtimes for line in _runtime_facts(runtime)]
    facts += _condition_facts(results.get("conditions"))
    return list(dict.fromkeys(facts))


_GPU_FACTS = {
    "sm_mhz": "GPU at {median:.0f} MHz",
    "temperature_c": "GPU up to {max:.0f} °C",
    "load_percent": "GPU load {median:.0f}%",
}


def _condition_facts(conditions: Document | None) -> list[str]:
    """What the machine did meanwhile, as far as it tells."""
    if conditions is None:
        return []
    told = []
    if (clock := conditions["cpu_mhz"]) is not None:
        told.append(f"CPU at {clock['median']:.0f} MHz")
    if conditions["load_share"] is not None:
        told.append(f"CPU load {conditions['load_share']:.0%}")
    gpu = conditions["gpu"] or {}
    for name, form in _GPU_FACTS.items():
        if gpu.get(name) is not None:
            told.append(form.format(**gpu[name]))
    if conditions["others_share"] is not None:
        told.append(f"other programs on {conditions['others_share']:.0%} of the processors")
    return ["meanwhile: " + ", ".join(told)] if told else []


def _runtime_facts(runtime: Document) -> list[str]:
    engine = [str(runtime["backend"])]
    engine += [str(runtime[key]) for key in ("engine", "device") if key in runtime]
    if "threads" in runtime:
        engine.append(counted(runtime["threads"], "thread"))
    facts = ["backend: " + ", ".join(engine)]
    if runtime.get("selection"):
        facts.append("chosen: " + runtime["selection"])
    return facts


def _latency_title(cases: list[Document]) -> str:
    shapes = {
        (case["width"], case["height"], case["scale"], case["batch"], case["model"]["name"])
        for case in cases
    }
    if len(shapes) > 1:
        return f"latency, {counted(len(cases), 'case')}"
    width, height, scale, batch, name = shapes.pop()
    sizes = f"{width}×{height} → {width * scale}×{height * scale}"
    rivals = [str(case["runtime"]["backend"]) for case in cases if case["rival"]]
    return (
        f"latency of {name}, {sizes}"
        + (f", batch {batch}" if batch > 1 else "")
        + (f", beside {', '.join(rivals)}" if rivals else "")
    )


def aligned(table: Table) -> list[str]:
    """The lines of a table in a fixed-width font."""
    rows = [[printable(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _text(section: Section) -> str:
    facts = (f"  {printable(fact)}" for fact in section.facts)
    lines = [printable(section.title), *facts, ""]
    for table in section.tables:
        lines += [*aligned(table), ""]
    lines += [f"warning: {printable(warning)}" for warning in section.warnings]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(section: Section) -> str:
    facts = (f"- {_escape(fact)}" for fact in section.facts)
    lines = [f"### {_escape(section.title)}", "", *facts, ""]
    for table in section.tables:
        lines.append("| " + " | ".join(_escape(cell) for cell in table.columns) + " |")
        lines.append("|---" + "|--:" * (len(table.columns) - 1) + "|")
        for row in table.rows:
            lines.append("| " + " | ".join(_escape(cell) for cell in row) + " |")
        lines.append("")
    lines += [f"> Warning: {_escape(warning)}" for warning in section.warnings]
    return "\n".join(lines).rstrip() + "\n"


# Letters and digits on both sides make an underscore one of a word, as in file names.
_MARKUP = re.compile(r"[\\`*\[\]|#]|(?<![^\W_])_|_(?![^\W_])")
# What not every dialect lets a backslash take its meaning from.
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "~": "&#126;", "$": "&#36;"})


def _escape(text: str) -> str:
    """Text as it is meant, in Markdown's cells, lists and headings."""
    return _MARKUP.sub(r"\\\g<0>", printable(text)).translate(_ENTITIES)
