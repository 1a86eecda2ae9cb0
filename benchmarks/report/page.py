"""A report as one self-contained HTML page: tables, charts, a before/after slider; no network."""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from string import Template

from .charts import Distribution, Stack, bars, distributions, stacks
from .headline import headlines
from .model import Document, parts
from .model_rows import espcn_order, model_name
from .rows import counted, short_names
from .scatter import Baseline, Point, scatter
from .table import Table
from .tables import Section, machine_facts, sections, title

_HEADING = re.compile("<h2>(.*?)</h2>")
_TEMPLATE = Path(__file__).with_name("page.html")
# So many cases fit into one chart before it becomes a wall.
_MAX_CASES = 24


def to_html(document: Document) -> str:
    """The whole page as text."""
    documents = parts(document)
    one = len(documents) == 1
    heading = _heading(documents[0]) if one else "Framelift benchmark report"
    body = [f"<h1>{escape(heading)}</h1>", _headlines(documents)]
    body.append(_facts(documents, document["created"]))
    pictures = [part for part in documents if part["kind"] == "pictures"]
    rest = [part for part in documents if part not in pictures]
    told = [fact for part in documents for fact in machine_facts(part)]
    pieces = [_pictures(part) for part in pictures]
    pieces.append(_quality_against_latency(documents))
    pieces += [_section(section, heading=not one) for section in sections(rest, told=told)]
    body += _numbered([piece for piece in pieces if piece])
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(title=escape(heading), body="\n".join(filter(None, body)))


def _headlines(documents: list[Document]) -> str:
    """p50 and p99 in large type, and whether they may be quoted."""
    cards = []
    for told in headlines(documents):
        figures = "".join(
            f"<div><b>{value}<small> {unit}</small></b><span>{escape(what)}</span></div>"
            for value, unit, what in told.figures
        )
        doubt = ""
        if told.warnings:
            count = counted(len(told.warnings), "warning")
            doubt = f'<p class="doubt">do not quote before reading {count} below</p>'
        notes = "".join(f"<li>{escape(note)}</li>" for note in told.notes)
        cards.append(
            f'<div class="card"><h2>{escape(told.title)}</h2>'
            f'<div class="figures">{figures}</div><ul>{notes}</ul>{doubt}</div>'
        )
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _numbered(pieces: list[str]) -> list[str]:
    """The pieces with anchors at their headings, and links to them first where there are many."""
    titles = [_HEADING.search(piece) for piece in pieces]
    linked = [piece.replace("<h2>", f'<h2 id="s{index}">', 1) for index, piece in enumerate(pieces)]
    links = [
        f'<a href="#s{index}">{found[1].partition(", ")[0]}</a>'
        for index, found in enumerate(titles)
        if found
    ]
    return [f"<nav>{''.join(links)}</nav>", *linked] if len(links) > 1 else linked


def _heading(document: Document) -> str:
    return _capital(title(document))


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


def _facts(documents: list[Document], created: str) -> str:
    lines = [line for part in documents for line in machine_facts(part)]
    packages = documents[0]["machine"]["packages"]
    lines.append("versions: " + ", ".join(f"{name} {v}" for name, v in packages.items()))
    lines.append(f"measured: {created}")
    return _listed(list(dict.fromkeys(lines)), "facts")


def _section(section: Section, *, heading: bool) -> str:
    pieces = [f"<h2>{escape(_capital(section.title))}</h2>"] if heading else []
    pieces.append(_listed(section.facts, "facts"))
    pieces.append(_listed(section.warnings, "warnings"))
    charts = {"latency": _latency_charts, "overhead": _overhead_charts, "video": _video_charts,
              "stream": _stream_charts, "espcn": _espcn_charts}  # fmt: skip
    if section.kind in charts:
        pieces.append(charts[section.kind](section.documents[0]["results"]))
    pieces += [_table(table) for table in section.tables]
    return "\n".join(filter(None, pieces))


def _latency_charts(results: Document) -> str:
    cases = results["cases"][:_MAX_CASES]
    names = short_names(cases)
    pieces = [
        "<h3>Distribution of latency</h3>",
        distributions(
            [Distribution(n, case["samples_ms"]) for n, case in zip(names, cases, strict=True)]
        ),
    ]
    staged = [_stack(name, case) for name, case in zip(names, cases, strict=True)]
    pieces += ["<h3>Where the time goes</h3>", stacks(staged)]
    return "\n".join(pieces)


def _stack(name: str, case: Document) -> Stack:
    stages = case["stages_ms"] or {"whole call": case["latency"]["p50_ms"]}
    roofline = case["roofline"]
    return Stack(name, stages, None if roofline is None else roofline["limit_ms"])


def _overhead_charts(results: Document) -> str:
    variants = results["variants"].items()
    return distributions([Distribution(name, v["samples_ms"]) for name, v in variants])


def _video_charts(results: Document) -> str:
    runs = [
        (f"sink: {name}", {stage: share or 0.0 for stage, share in run["occupancy"].items()})
        for name, run in results["runs"].items()
    ]
    return "<h3>Share of the time that each stage works</h3>" + bars(runs)


def _stream_charts(results: Document) -> str:
    shown = [
        Distribution(f"{run['source_fps']:g} fps, glass to glass", run["latencies_ms"])
        for run in results["rates"]
        if run["latencies_ms"]
    ]
    return distributions(shown) if shown else ""


def _espcn_charts(results: Document) -> str:
    """Time with frames and alone, ESPCN being 1."""
    shown = [
        Stack(f"{model_name(row['model'])}, {form}", {form: row[form]["median_of_ratios"]}, 1.0)
        for row in espcn_order(results)
        for form in ("network", "frames")
    ]
    return stacks(shown, "×", limit="ESPCN of the same scale")


def _quality_against_latency(documents: list[Document]) -> str:
    """A plot for each scale and image set, and each measure, of the models that have both."""
    cases: dict[str, Document] = {}
    for part in documents:
        for case in part["results"]["cases"] if part["kind"] == "latency" else ():
            if not case["rival"] and case["batch"] == 1:
                cases.setdefault(case["model"]["sha256"], case)
    panels: dict[tuple[int, str], list[Document]] = {}
    for part in documents:
        if part["kind"] == "quality" and part["model"]["sha256"] in cases:
            key = (part["model"]["scale"], part["settings"]["images"])
            panels.setdefault(key, []).append(part)
    pieces = [
        _panel(scale, images, group, cases, measure)
        for (scale, images), group in sorted(panels.items())
        for measure in ("psnr_db", "feature_distance")
    ]
    note = '<p class="caption">Hollow marks are int8.</p>'
    drawn = [piece for piece in pieces if piece]
    return "\n".join(["<h2>Quality and latency</h2>", *drawn, note]) if drawn else ""


_MEASURES = {
    "psnr_db": "Y-PSNR, dB: higher is better",
    "feature_distance": "distance of relu2_2 features: lower is better",
}


def _panel(
    scale: int, images: str, group: list[Document], cases: dict[str, Document], measure: str
) -> str:
    points, size = [], ""
    for part in group:
        model, value = part["model"], part["results"]["mean"]["model"].get(measure)
        if value is not None:
            case = cases[model["sha256"]]
            size = f"{case['width']}×{case['height']} → "
            size += f"{case['width'] * scale}×{case['height'] * scale}"
            hollow = model["precision"] == "int8"
            points.append(Point(model_name(model), case["latency"]["p50_ms"], value, hollow))
    if not points:
        return ""
    bicubic = group[0]["results"]["mean"]["bicubic"].get(measure)
    line = None if bicubic is None else Baseline("bicubic", bicubic)
    heading = f"<h3>×{scale} on {escape(images)}</h3>"
    label = f"median latency, ms ({size})"
    return heading + scatter(points, label, _MEASURES[measure], line)


def _pictures(document: Document) -> str:
    pieces = [f'<h2>{escape(_heading(document))}</h2><div class="pictures">']
    for picture in document["results"]["pictures"]:
        name = escape(picture["name"])
        pieces.append(
            f'<div style="width:{picture["width"]}px"><div class="slider">'
            f'<img src="{picture["before"]}" alt="{name}, bicubic">'
            f'<img class="after" src="{picture["after"]}" alt="{name}, framelift">'
            '<div class="bar"></div><span class="left">bicubic</span>'
            '<span class="right">framelift</span>'
            '<input type="range" min="0" max="100" step="0.5" value="50" '
            f'aria-label="where bicubic ends and framelift begins in {name}, in percent"></div>'
            f'<p class="caption">{name}, {picture["width"]}×{picture["height"]}: bicubic on the '
            "left, framelift on the right; drag to compare, or use the arrow keys</p></div>"
        )
    return "\n".join([*pieces, "</div>"])


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.columns)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'


def _listed(lines: list[str], kind: str) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="{kind}">{items}</ul>'
