"""Renders a report document as text for the terminal or as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...common.table import Table, escape_markdown
from ...common.text import counted, printable
from ..machine.monitor import Conditions
from .documents import (
    AnyDocument,
    AnySingle,
    Espcn,
    Flicker,
    Footage,
    Latency,
    OfModel,
    Pictures,
    Quality,
    Realtime,
    Reuse,
    Single,
    Stream,
    Train,
    Video,
)
from .model import parts
from .model_rows import model_name, quality_of_models
from .results import Case
from .rows import tables_of
from .settings import Runtime, WithImages, WithSize, fields_of


@dataclass(frozen=True)
class Section:
    """What is shown under one title: of one report, or of several models' quality on one set.

    `facts` are those of the machine and the run that were not shown before.
    """

    documents: Sequence[AnySingle]
    title: str
    facts: list[str]
    tables: list[Table]

    @property
    def kind(self) -> str:
        """The kind of its reports."""
        return self.documents[0].kind

    @property
    def warnings(self) -> list[str]:
        """Those of its reports, each once."""
        return list(dict.fromkeys(w for document in self.documents for w in document.warnings))


def sections(documents: Sequence[AnySingle], *, printed: Iterable[str] = ()) -> list[Section]:
    """The reports in order, each fact with the first that it belongs to."""
    known = set(printed)
    result = []
    for group in _groups(documents):
        facts = [fact for document in group for fact in machine_facts(document)]
        facts += [fact for document in group for fact in run_facts(document)]
        new = [fact for fact in dict.fromkeys(facts) if fact not in known]
        known.update(new)
        scored = [document for document in group if isinstance(document, Quality)]
        if len(scored) > 1:
            name, tables = f"quality on {_image_set(scored[0])}", quality_of_models(scored)
        else:
            name, tables = title(group[0]), tables_of(group[0])
        result.append(Section(group, name, new, tables))
    return result


def _groups(documents: Sequence[AnySingle]) -> list[list[AnySingle]]:
    """Reports of quality on one set together, at the place of the first."""
    groups: list[list[AnySingle]] = []
    sets: dict[str, list[AnySingle]] = {}
    for document in documents:
        if not isinstance(document, Quality):
            groups.append([document])
        elif (name := _image_set(document)) in sets:
            sets[name].append(document)
        else:
            sets[name] = [document]
            groups.append(sets[name])
    return groups


def _image_set(document: Quality) -> str:
    scored = fields_of(WithImages, document.settings)
    return f"{scored.images} ({counted(scored.count, 'image')})"


def to_text(document: AnyDocument) -> str:
    """The report for a terminal; a report of several documents gives them one after the other."""
    return "\n".join(_text(section) for section in sections(parts(document)))


def to_markdown(document: AnyDocument) -> str:
    """The report as Markdown."""
    return "\n".join(_markdown(section) for section in sections(parts(document)))


def title(document: AnySingle) -> str:
    """What a report is about, in one line."""
    settings = document.settings
    match document:
        case Latency():
            return _latency_title(document.results.cases)
        case Train():
            return f"training speed of {settings['config']}"
        case Espcn():
            return f"time relative to ESPCN, {settings['width']}×{settings['height']} input"
        case Realtime():
            frames = f", frames of {settings['file']}" if settings["file"] else ""
            return f"largest output in real time{frames}"
        case Footage():
            clips = counted(len(document.results.clips), "clip")
            return f"coded footage, ×{document.results.scale}, {clips}"
    model = document.model
    name = model_name(model) + (f" (×{model.scale})" if model.scale > 1 else "")
    match document:
        case Quality():
            return f"quality of {name} on {settings['images']}"
        case Video() | Flicker():
            return f"{document.kind}: {name} on {settings['file']}"
        case Reuse():
            return f"exact reuse by {name}"
        case Pictures():
            return f"pictures by {name}"
    what = "live stream" if isinstance(document, Stream) else document.kind
    size = fields_of(WithSize, settings)
    sizes = _sizes(size.width, size.height, model.scale)
    return f"{what} of {model.name}, {sizes}"


def _sizes(width: int, height: int, scale: int) -> str:
    return f"{width}×{height} → {width * scale}×{height * scale}"


def machine_facts(document: Single) -> list[str]:
    """Where it was measured."""
    machine = document.machine
    hardware = [machine.cpu, counted(machine.cores, "core")]
    hardware += [f"with {', '.join(machine.instructions)}"] if machine.instructions else []
    if machine.memory_bytes is not None:
        hardware.append(f"{machine.memory_bytes / 2**30:.0f} GiB")
    hardware += machine.gpus
    return ["machine: " + ", ".join(hardware), "system: " + machine.os]


def run_facts(document: AnySingle) -> list[str]:
    """What ran: backends, engines, why they were chosen."""
    results = document.results
    runs = (*getattr(results, "cases", ()), *getattr(results, "models", ()))
    runtimes: list[Runtime] = [run.runtime for run in runs]
    if isinstance(document, OfModel):
        runtimes.append(document.runtime)
    facts = [line for runtime in runtimes for line in _runtime_facts(runtime)]
    facts += _condition_facts(getattr(results, "conditions", None))
    return list(dict.fromkeys(facts))


_GPU_FACTS = {
    "sm_mhz": "GPU at {0.median:.0f} MHz",
    "temperature_c": "GPU up to {0.max:.0f} °C",
    "load_percent": "GPU load {0.median:.0f}%",
}


def _condition_facts(conditions: Conditions | None) -> list[str]:
    """What the machine did meanwhile, as far as it reports it."""
    if conditions is None:
        return []
    facts = []
    if (clock := conditions.cpu_mhz) is not None:
        facts.append(f"CPU at {clock.median:.0f} MHz")
    if conditions.load_share is not None:
        facts.append(f"CPU load {conditions.load_share:.0%}")
    gpu = conditions.gpu or {}
    facts += [form.format(gpu[name]) for name, form in _GPU_FACTS.items() if name in gpu]
    if conditions.others_share is not None:
        facts.append(f"other programs on {conditions.others_share:.0%} of the processors")
    return ["meanwhile: " + ", ".join(facts)] if facts else []


def _runtime_facts(runtime: Runtime) -> list[str]:
    engine = [str(runtime["backend"])]
    engine += [str(runtime[key]) for key in ("engine", "device") if key in runtime]
    if "threads" in runtime:
        engine.append(counted(runtime["threads"], "thread"))
    facts = ["backend: " + ", ".join(engine)]
    if runtime.get("selection"):
        facts.append(f"chosen: {runtime['selection']}")
    return facts


def _latency_title(cases: Sequence[Case]) -> str:
    if len({(case.shape, case.model.name) for case in cases}) > 1:
        return f"latency, {counted(len(cases), 'case')}"
    first = cases[0]
    rivals = [str(case.runtime["backend"]) for case in cases if case.rival]
    return (
        f"latency of {first.model.name}, {_sizes(first.width, first.height, first.scale)}"
        + (f", batch {first.batch}" if first.batch > 1 else "")
        + (f", beside {', '.join(rivals)}" if rivals else "")
    )


def _text(section: Section) -> str:
    facts = (f"  {printable(fact)}" for fact in section.facts)
    lines = [printable(section.title), *facts, ""]
    for table in section.tables:
        lines += [table.text(), ""]
    lines += [f"warning: {printable(warning)}" for warning in section.warnings]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(section: Section) -> str:
    facts = (f"- {escape_markdown(fact)}" for fact in section.facts)
    lines = [f"### {escape_markdown(section.title)}", "", *facts, ""]
    for table in section.tables:
        lines += [table.markdown(), ""]
    lines += [f"> Warning: {escape_markdown(warning)}" for warning in section.warnings]
    return "\n".join(lines).rstrip() + "\n"
