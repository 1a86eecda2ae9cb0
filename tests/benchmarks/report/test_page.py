"""The page is one file with everything in it."""

from __future__ import annotations

import copy
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from framelift.benchmarks.report.charts import Distribution, Stack, distributions, short, stacks
from framelift.benchmarks.report.headline import headlines
from framelift.benchmarks.report.model import combine, decode
from framelift.benchmarks.report.page import to_html
from framelift.benchmarks.report.rows import short_names
from framelift.benchmarks.report.scatter import Baseline, Point, scatter
from framelift.cli.bench.options import Targets
from framelift.common.errors import MissingDependencyError
from tests.support.reports import Json, single

VOID = {"meta", "img", "input", "rect", "path", "circle"}


class Checker(HTMLParser):
    """Collects elements and fails on tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in VOID or self.open.pop() == tag


@pytest.fixture(scope="module")
def page(reports: dict[str, Json]) -> str:
    return to_html(combine([decode(report) for report in reports.values()]))


def test_the_page_is_well_formed_and_needs_no_network(page: str) -> None:
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    addresses = [
        value
        for _, attributes in checker.seen
        for name, value in attributes.items()
        if name in ("src", "href") and value
    ]
    assert addresses
    here = {f"#{attributes['id']}" for _, attributes in checker.seen if "id" in attributes}
    linked = [address for address in addresses if address.startswith("#")]
    assert len(linked) > 5
    assert set(linked) == here
    pictures = [address for address in addresses if address not in here]
    assert all(address.startswith("data:image/jpeg;base64,") for address in pictures)
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_page_has_every_report_and_chart(page: str) -> None:
    for text in (
        "Framelift benchmark report",
        "Quality and latency",
        "×4 on photos",
        "Y-PSNR, dB: higher is better",
        "ESPCN of the same scale",
        "Latency of tiny-shuffle, 32×24 → 128×96, beside ort-numpy",
        "Overhead of tiny-shuffle",
        "limit of this machine",
        "glass to glass",
        "drag to compare",
        "Share of the time that each stage works",
    ):
        assert text in page, text
    # Latency has two charts; overhead, quality, video, the stream and ESPCN one each.
    assert page.count("<svg") == 7


def test_a_single_report_has_its_own_title(reports: dict[str, Json]) -> None:
    page = to_html(decode(reports["video"]))
    assert "<h1>Video: tiny-nearest (×4) on clip.mp4</h1>" in page
    assert "<h2>" not in page


def test_without_jinja_the_extra_is_named_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    Targets(tmp_path / "report.json", None, None).check()
    with pytest.raises(MissingDependencyError, match=r"pip install 'framelift\[report\]'"):
        Targets(None, None, tmp_path / "page.html").check()


def test_p50_and_p99_are_at_the_top(page: str, reports: dict[str, Json]) -> None:
    told = headlines([single(reports["latency"]), single(reports["quality"])])
    (lead,) = told
    case = reports["latency"]["results"]["cases"][0]
    assert lead.title == "tiny-shuffle"
    assert [(value, unit) for value, unit, _ in lead.figures] == [
        (short(case["latency"]["p50_ms"]), "ms"),
        (short(case["latency"]["p99_ms"]), "ms"),
        (short(case["latency"]["fps"]), "fps"),
    ]
    assert lead.figures[1][2] == "p99 of 4 calls"
    assert "32×24 → 128×96" in lead.notes
    assert any(
        note.startswith("ort-numpy takes ") and "(fastest of 1 rival with the same" in note
        for note in lead.notes
    )
    wrong = copy.deepcopy(reports["latency"])
    wrong["results"]["cases"][1]["agreement"]["share_within_1"] = 0.5
    assert not any("rival" in note for note in headlines([single(wrong)])[0].notes)
    images = reports["quality"]["settings"]["images"]
    assert any(f" dB on {images}, " in note for note in lead.notes)
    top = page[: page.index("machine: ")]
    assert f"<b>{lead.figures[0][0]}<small> ms</small></b><span>p50</span>" in top
    assert "do not quote before reading" in top
    assert headlines([single(reports["video"])]) == []


def test_the_fastest_model_of_the_same_size_stands_beside_the_main_one(
    reports: dict[str, Json],
) -> None:
    several = copy.deepcopy(reports["latency"])
    ours = several["results"]["cases"][0]
    several["results"]["cases"] = [ours]
    for name, factor, width in (("fast", 0.5, 32), ("faster", 0.25, 32), ("small", 0.1, 16)):
        other = copy.deepcopy(ours)
        other["model"] |= {"name": name, "sha256": f"{width + factor}".encode().hex().zfill(64)}
        other["latency"]["p50_ms"] *= factor
        several["results"]["cases"].append(other | {"width": width})
    titles = [told.title for told in headlines([single(several), single(reports["latency"])])]
    assert titles == ["tiny-shuffle", "faster"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.1234, "0.12"), (9.876, "9.88"), (12.34, "12.3"), (1234.5, "1234")]
)
def test_figures_have_three_digits(value: float, text: str) -> None:
    assert short(value) == text


def test_names_are_escaped() -> None:
    name = "<b>&"
    for chart in (
        distributions([Distribution(name, [1.0, 2.0, 30.0])]),
        stacks([Stack(name, {"x<y": 1.0}, limit=0.5)]),
        scatter([Point(name, 1.0, 2.0)], "a<b", "c&d", Baseline(name, 1.0)),
    ):
        ElementTree.fromstring(chart)


@pytest.mark.parametrize("samples", [[10.0], [10.0, 10.1], [0.02, 900.0]])
def test_any_spread_of_samples_can_be_drawn(samples: list[float]) -> None:
    ElementTree.fromstring(distributions([Distribution("x", samples)]))


def test_names_in_charts_lose_what_all_share() -> None:
    names = ["m, fp32, onnx-cpu, 8×8", "m, int8, onnx-cpu, 8×8"]
    assert short_names(names) == ["fp32", "int8"]
    assert short_names(names[:1]) == ["m, fp32, onnx-cpu, 8×8"]


def test_labels_of_a_crowd_do_not_cover_each_other() -> None:
    rng = np.random.default_rng(0)
    points = [
        Point(f"realtime-model-{n}-x4", 30 * 1.2**n, 31 + rng.normal(0, 0.1), hollow=n % 2 == 0)
        for n in range(9)
    ]
    chart = ElementTree.fromstring(scatter(points, "ms", "dB", Baseline("bicubic", 28.4)))
    boxes = []
    for label in chart.iter("text"):
        if (label.text or "").startswith("realtime"):
            width = 6.7 * len(label.text or "")
            shift = {"start": 0.0, "end": width, "middle": width / 2}[label.attrib["text-anchor"]]
            left, base = float(label.attrib["x"]) - shift, float(label.attrib["y"])
            boxes.append((left, base - 11, left + width, base + 4))
    assert len(boxes) == 9
    for index, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[:index]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart
    assert sum(mark.attrib["class"].startswith("s") for mark in chart.iter("circle")) == 5
