"""What counts as worse, and what as noise."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest

from framelift.benchmarks.report.compare import Comparison, differ
from framelift.benchmarks.report.compare import compare as compare_documents
from framelift.benchmarks.report.model import combine, decode
from framelift.common.errors import InputError
from tests.support.reports import Json, as_json


def compare(old: Json, new: Json) -> Comparison:
    return compare_documents(decode(old), decode(new))


def together(*documents: Json) -> Json:
    return as_json(combine([decode(document) for document in documents]))


def changed(document: Json, change: Callable[[Json], None]) -> Json:
    result = copy.deepcopy(document)
    change(result["results"])
    return result


def slower(results: Json) -> None:
    case = results["cases"][0]
    case["latency"]["p50_ms"] *= 1.2
    case["samples_ms"] = [sample * 50 for sample in case["samples_ms"]] * 5


def test_equal_reports_have_no_changes(reports: dict[str, Json]) -> None:
    both = together(*reports.values())
    comparison = compare(both, both)
    assert {change.share for change in comparison.changes} == {0}
    assert len(comparison.changes) >= 8
    assert comparison.worse_than(0) == []
    assert comparison.missing == ()


def test_slower_cases_are_worse(reports: dict[str, Json]) -> None:
    old = reports["latency"]
    comparison = compare(old, changed(old, slower))
    (worse,) = comparison.worse_than(0.05)
    assert worse.old.name == f"latency: {old['results']['cases'][0]['name']}"
    assert worse.share == pytest.approx(0.2)
    assert comparison.worse_than(0.25) == []
    assert comparison.table().rows[0][3] == "+20.0%"
    assert compare(changed(old, slower), old).worse_than(0) == []


def test_a_difference_that_chance_makes_is_noise(reports: dict[str, Json]) -> None:
    def a_little(results: Json) -> None:
        results["cases"][0]["latency"]["p50_ms"] *= 1.2

    old = reports["latency"]
    comparison = compare(old, changed(old, a_little))
    assert comparison.worse_than(0.05) == []
    assert comparison.table().rows[0][4] == "noise"


def test_quality_counts_as_mean_squared_error(reports: dict[str, Json]) -> None:
    def worse(results: Json) -> None:
        results["mean"]["model"]["psnr_db"] -= 1

    comparison = compare(reports["quality"], changed(reports["quality"], worse))
    assert comparison.changes[0].share == pytest.approx(10**0.1 - 1, rel=1e-3)


def test_fewer_frames_per_second_are_worse(reports: dict[str, Json]) -> None:
    def video(fps: float) -> Json:
        report = copy.deepcopy(reports["video"])
        report["results"]["runs"] = {"none": report["results"]["runs"]["none"] | {"fps": fps}}
        return report

    assert compare(video(10), video(8)).worse_than(0.05)[0].share == pytest.approx(0.25)


def test_what_the_new_report_lacks_is_said(reports: dict[str, Json]) -> None:
    old = together(reports["latency"], reports["quality"])
    comparison = compare(old, reports["latency"])
    assert len(comparison.missing) == 1
    assert comparison.missing[0].startswith("quality: tiny-shuffle")
    with pytest.raises(InputError, match="no figure in common"):
        compare(reports["quality"], reports["latency"])


def test_other_machines_are_noted(reports: dict[str, Json]) -> None:
    other = copy.deepcopy(reports["quality"])
    other["machine"]["cpu"] = "another"
    assert "different machines" in compare(reports["quality"], other).notes[0]


def test_the_rank_test_tells_samples_apart() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(10, 1, 80), rng.normal(10, 1, 80)
    assert not differ(list(a), list(b))
    assert differ(list(a), list(b + 1))
    assert not differ([5.0] * 10, [5.0] * 10)


@pytest.mark.parametrize("shift", [0.0, 0.3, 0.6])
def test_the_rank_test_agrees_with_scipy(shift: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(3)
    a, b = np.round(rng.normal(10, 1, 60), 1), np.round(rng.normal(10 + shift, 1, 50), 1)
    expected = stats.mannwhitneyu(a, b, use_continuity=False, method="asymptotic").pvalue < 0.01
    assert differ(list(a), list(b)) == expected


def test_figures_of_one_name_are_all_compared(reports: dict[str, Json]) -> None:
    def worse(results: Json) -> None:
        results["mean"]["model"]["psnr_db"] -= 10

    quality = reports["quality"]
    old = together(quality, quality)
    for new in (
        together(changed(quality, worse), quality),
        together(quality, changed(quality, worse)),
    ):
        assert len(compare(old, new).worse_than(0.05)) == 1
    assert len(compare(old, quality).missing) == len(compare(old, old).changes) // 2


def test_scores_of_other_images_are_other_figures(reports: dict[str, Json]) -> None:
    more = copy.deepcopy(reports["quality"])
    more["settings"]["count"] += 1
    old = together(reports["quality"], reports["latency"])
    assert compare(old, together(more, reports["latency"])).missing
