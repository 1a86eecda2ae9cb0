"""The page is one file with everything in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from framelift.benchmarks.charts import Distribution, Point, Stack, distributions, scatter, stacks
from framelift.benchmarks.page import to_html
from framelift.benchmarks.report import Document, combine
from framelift.benchmarks.rows import short_names

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
def page(reports: dict[str, Document]) -> str:
    return to_html(combine(list(reports.values())))


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
    assert all(address.startswith("data:image/jpeg;base64,") for address in addresses)
    assert not re.search(r"https?://|@import|url\(", page)


def test_the_page_has_every_report_and_chart(page: str) -> None:
    for text in (
        "Framelift benchmark report",
        "Quality and latency",
        "gain over bicubic on photos",
        "Latency of tiny-shuffle, 32×24 → 128×96, beside ort-numpy",
        "Overhead of tiny-shuffle",
        "limit of this machine",
        "glass to glass",
        "drag to compare",
        "Share of the time that each stage works",
    ):
        assert text in page, text
    # Latency has two charts; overhead, quality, video and the stream one each.
    assert page.count("<svg") == 6


def test_a_single_report_has_its_own_title(reports: dict[str, Document]) -> None:
    page = to_html(reports["video"])
    assert "<h1>Video: tiny-nearest (×4) on clip.mp4</h1>" in page
    assert "<h2>" not in page


def test_names_are_escaped() -> None:
    name = "<b>&"
    for chart in (
        distributions([Distribution(name, [1.0, 2.0, 30.0])]),
        stacks([Stack(name, {"x<y": 1.0}, limit=0.5)]),
        scatter([Point(name, 1.0, 2.0)], "a<b", "c&d"),
    ):
        ElementTree.fromstring(chart)


@pytest.mark.parametrize("samples", [[10.0], [10.0, 10.1], [0.02, 900.0]])
def test_any_spread_of_samples_can_be_drawn(samples: list[float]) -> None:
    ElementTree.fromstring(distributions([Distribution("x", samples)]))


def test_names_in_charts_lose_what_all_share() -> None:
    cases = [{"name": "m, fp32, onnx-cpu, 8×8"}, {"name": "m, int8, onnx-cpu, 8×8"}]
    assert short_names(cases) == ["fp32", "int8"]
    assert short_names(cases[:1]) == ["m, fp32, onnx-cpu, 8×8"]
