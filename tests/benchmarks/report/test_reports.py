"""Latency, overhead and quality end to end on tiny models, and how reports look."""

from __future__ import annotations

import copy
import html
import re
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from framelift.benchmarks.quality.scores import measure_quality, originals, read_original
from framelift.benchmarks.report.checks import agreement_warnings
from framelift.benchmarks.report.model import decode, write_text
from framelift.benchmarks.report.quality_results import Scores
from framelift.benchmarks.report.tables import to_markdown, to_text
from framelift.benchmarks.shared.frames import Agreement
from framelift.benchmarks.shared.settings import GridSettings, LatencySettings
from framelift.benchmarks.speed.latency import measure_latency
from framelift.benchmarks.speed.overhead import BARE, NUMPY, UPSCALER, measure_overhead
from framelift.common.errors import ConfigError, InputError, OutputError
from framelift.imaging.quality import Upscale, bicubic
from tests.support.reports import Json, as_json

QUICK = LatencySettings(32, 24, backend="onnx-cpu", threads=1, seconds=0, iterations=6)
GRID = GridSettings(
    ((32, 24),), backends=("onnx-cpu",), threads=1, seconds=0, iterations=6, roofline=False
)


@pytest.fixture(scope="module")
def latency(shuffle_model_path: Path) -> Json:
    return as_json(measure_latency([shuffle_model_path], GRID))


@pytest.fixture(scope="module")
def overhead(shuffle_model_path: Path) -> Json:
    return as_json(measure_overhead(shuffle_model_path, QUICK))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (12, 15, 3), np.uint8)
    image = cv2.resize(small, (60, 49), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "b.png"), image)
    cv2.imwrite(str(folder / "a.png"), image[:, :, 0])
    return folder


def test_the_latency_report_says_where_what_and_how_long(latency: Json) -> None:
    assert latency["schema"] == "framelift.benchmark"
    assert latency["schema_version"] == 4
    assert latency["kind"] == "latency"
    (case,) = latency["results"]["cases"]
    assert case["name"] == "tiny-shuffle, fp32, onnx-cpu, 32×24"
    assert case["model"]["name"] == "tiny-shuffle"
    assert len(case["model"]["sha256"]) == 64
    assert case["runtime"]["backend"] == "onnx-cpu"
    assert case["runtime"]["threads"] == 1
    assert (case["width"], case["height"], case["batch"], case["scale"]) == (32, 24, 1, 4)
    assert case["latency"]["count"] == len(case["samples_ms"]) == 6
    assert len(case["warm_up_ms"]) >= 2
    assert case["roofline"] is None
    assert list(case["stages_ms"]) == ["inference", "pixel shuffle", "rest"]


def test_the_start_is_that_of_a_new_process(latency: Json) -> None:
    start = latency["results"]["cases"][0]["start"]
    parts = [start[key] for key in ("process_ms", "load_ms", "first_frame_ms")]
    assert min(parts) > 0
    assert start["cold_start_ms"] >= sum(parts[1:])
    assert start["peak_rss_bytes"] is None or start["peak_rss_bytes"] > 2**24


def test_reports_survive_json(latency: Json, overhead: Json) -> None:
    for document in (latency, overhead):
        assert as_json(decode(document)) == document
        assert to_text(decode(as_json(decode(document)))) == to_text(decode(document))


def test_the_grid_is_every_model_backend_size_and_batch(
    shuffle_model_path: Path, nearest_model_path: Path
) -> None:
    grid = replace(GRID, sizes=((8, 8), (12, 10)), batches=(1, 3), iterations=1, fresh=False)
    document = as_json(measure_latency([shuffle_model_path, nearest_model_path], grid))
    cases = document["results"]["cases"]
    assert len({case["name"] for case in cases}) == len(cases) == 8
    for case in cases:
        summary, frames = case["latency"], case["batch"]
        assert summary["fps"] == pytest.approx(1000 * frames / summary["mean_ms"], rel=1e-3)
    assert "latency, 8 cases" in to_text(decode(document))


def test_models_of_one_name_are_told_apart(
    tiny_models: ModuleType, tmp_path: Path, shuffle_model_path: Path
) -> None:
    model = tiny_models.set_metadata(
        tiny_models.pixel_shuffle_model(seed=1), weights_sha256="1" * 64
    )
    other = tiny_models.save(model, tmp_path / "other.onnx")
    grid = replace(GRID, sizes=((8, 8),), iterations=1, fresh=False)
    document = measure_latency([shuffle_model_path, other, other], grid)
    cases = as_json(document)["results"]["cases"]
    names = [case["name"] for case in cases]
    assert len(set(names)) == 3
    assert cases[1]["model"]["sha256"][:8] in names[1]
    assert names[2] == f"{names[1]} #2"
    assert cases[2]["agreement"]["with"] == names[1]
    assert cases[2]["agreement"]["max_abs"] == 0


def test_the_latency_table_has_percentiles_and_rate(latency: Json) -> None:
    text = to_text(decode(latency))
    assert "latency of tiny-shuffle, 32×24 → 128×96" in text
    for name in ("p50", "p90", "p95", "p99", "max", "mean", "CV", "fps", "cold start", "onnx-cpu"):
        assert name in text
    assert "warning: p99 of 6 samples" in text


def test_markdown_tables_are_rectangular(latency: Json, overhead: Json) -> None:
    for document in (latency, overhead):
        blocks = to_markdown(decode(document)).split("\n\n")
        tables = [block.splitlines() for block in blocks if block.startswith("|")]
        assert len(tables) >= 2
        for table in tables:
            assert len({line.count("|") for line in table}) == 1


def test_markdown_shows_what_reports_hold_as_it_is(latency: Json) -> None:
    markdown = pytest.importorskip("markdown")
    odd = r"a|b *c* __d__ _e_ f_g <b>h</b> `i` [j](k) \\l #m ~~n~~ &lt; $o$"
    changed = copy.deepcopy(latency)
    changed["results"]["cases"][0]["name"] = f"{odd}, {odd}\x1b[2J\nnew line"
    changed["machine"]["cpu"] = odd
    changed["warnings"] = [odd]
    text = to_markdown(decode(changed))
    page = markdown.markdown(text, extensions=["tables"])
    assert not re.search(r"<(em|strong|code|a|b|del)\b", page)
    shown = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert shown.count(odd) >= 4
    assert "\x1b" not in text + to_text(decode(changed))
    assert "new line" not in [line.strip() for line in to_text(decode(changed)).splitlines()]


def test_overhead_compares_with_the_bare_call(overhead: Json) -> None:
    variants = overhead["results"]["variants"]
    assert variants[BARE]["ratio_of_medians"] == variants[BARE]["median_of_ratios"] == 1
    medians = {name: variant["latency"]["p50_ms"] for name, variant in variants.items()}
    for name in (UPSCALER, NUMPY):
        assert variants[name]["ratio_of_medians"] == pytest.approx(
            medians[name] / medians[BARE], rel=1e-3
        )
        assert len(variants[name]["samples_ms"]) == 6
    assert overhead["results"]["agreement"]["max_abs"] <= 1
    assert "paired / bare" in to_text(decode(overhead))


def test_overhead_takes_single_frames(shuffle_model_path: Path) -> None:
    with pytest.raises(ValueError, match="single frames, got batch 2"):
        measure_overhead(shuffle_model_path, LatencySettings(8, 8, batch=2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"batch": 0}, "batch must be at least 1"),
        ({"seconds": -1.0}, "seconds must be 0 or more"),
        ({"seconds": float("nan")}, "seconds must be 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(LatencySettings(8, 8), **arguments)


def test_precisions_of_the_same_weights_are_compared(
    tiny_models: ModuleType, tmp_path: Path, shuffle_model_path: Path
) -> None:
    model = tiny_models.set_metadata(tiny_models.pixel_shuffle_model(), precision="fp16")
    half = tiny_models.save(model, tmp_path / "half.onnx")
    grid = replace(GRID, sizes=((16, 12),), iterations=1, fresh=False)
    document = as_json(measure_latency([shuffle_model_path, half], grid))
    same = document["results"]["cases"][1]["agreement"]
    assert same["same_precision"] is False
    assert same["max_abs"] == 0


def test_another_image_is_warned_of() -> None:
    same = Agreement(max_abs=0, share_within_1=1.0, psnr_db=None)
    off = Agreement(max_abs=9, share_within_1=0.9, psnr_db=40.0)
    wrong = Agreement(max_abs=99, share_within_1=0.1, psnr_db=12.0, same_precision=False)
    half = msgspec.structs.replace(off, same_precision=False)
    assert agreement_warnings({"a": same, "b": half}) == []
    (warning,) = agreement_warnings({"c": off, "d": wrong, "e": same})
    assert warning.endswith("cannot be compared: c; d")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": ()}, "sizes must not be empty"),
        ({"batches": (1, 0)}, "batch must be at least 1, got 0"),
    ],
)
def test_grids_that_make_no_sense_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(GRID, **arguments)


def test_quality_scores_every_image_beside_bicubic(photos: Path, nearest_model_path: Path) -> None:
    seen = []
    document = as_json(
        measure_quality(
            nearest_model_path, photos, progress=lambda done, total: seen.append((done, total))
        )
    )
    assert seen == [(1, 2), (2, 2)]
    images, mean = document["results"]["images"], document["results"]["mean"]
    assert [image["name"] for image in images] == ["a", "b"]
    for scores in (*images, mean):
        assert scores["model"]["psnr_db"] < scores["bicubic"]["psnr_db"]
    values = [image["model"]["psnr_db"] for image in images]
    assert mean["model"]["psnr_db"] == pytest.approx(sum(values) / 2)
    text = to_text(decode(document))
    assert "quality of tiny-nearest (×4) on photos" in text
    assert f"{mean['model']['psnr_db'] - mean['bicubic']['psnr_db']:+.2f}" in text


def test_bicubic_is_scored_once_for_all_models_of_a_scale(
    monkeypatch: pytest.MonkeyPatch,
    photos: Path,
    nearest_model_path: Path,
    shuffle_model_path: Path,
) -> None:
    from framelift.benchmarks.quality import scores as quality

    made: list[int] = []

    def counted(scale: int) -> Upscale:
        made.append(scale)
        return bicubic(scale)

    monkeypatch.setattr(quality, "bicubic", counted)
    known: dict[tuple[object, ...], Scores] = {}
    first = measure_quality(nearest_model_path, photos, known=known)
    second = measure_quality(shuffle_model_path, photos, known=known)
    assert made == [4, 4]  # once for each of the two images
    means = [as_json(document)["results"]["mean"] for document in (first, second)]
    assert means[0]["bicubic"] == means[1]["bicubic"]
    assert means[0]["model"] != means[1]["model"]
    measure_quality(nearest_model_path, photos, matching=True, known=known)
    assert len(made) == 4  # scored after matching is another score


def test_bicubic_of_a_quality_report_is_the_published_one(
    shared: Path, nearest_model_path: Path
) -> None:
    document = measure_quality(nearest_model_path, shared / "data" / "eval" / "hr" / "Set5")
    bicubic = as_json(document)["results"]["mean"]["bicubic"]
    assert bicubic["psnr_db"] == pytest.approx(28.42, abs=0.01)
    assert bicubic["ssim"] == pytest.approx(0.810, abs=0.0006)


def test_a_perfect_score_is_null_in_json(tmp_path: Path, nearest_model_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "flat.png"), np.full((40, 40, 3), 99, np.uint8))
    document = as_json(measure_quality(nearest_model_path, tmp_path))
    assert document["results"]["mean"]["model"]["psnr_db"] is None
    assert "∞" in to_text(decode(document))
    assert "∞" in to_markdown(decode(document))


def test_originals_that_cannot_be_scored_are_named(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        originals(tmp_path / "none")
    with pytest.raises(InputError, match="contains no images"):
        originals(tmp_path)
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"x\.png: is not an image"):
        read_original(tmp_path / "x.png")
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((40, 40, 3), np.uint16))
    with pytest.raises(InputError, match=r"x\.png: has uint16 samples"):
        read_original(tmp_path / "x.png")
    cv2.imwrite(str(tmp_path / "x.png"), np.zeros((18, 40, 3), np.uint8))
    with pytest.raises(InputError, match=r"x\.png: is 40×18, too small to score at ×4"):
        measure_quality(nearest_model_path, tmp_path)


def test_alpha_is_dropped_and_grey_stays_grey(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    cv2.imwrite(str(tmp_path / "alpha.png"), image)
    cv2.imwrite(str(tmp_path / "grey.png"), image[:, :, 0])
    np.testing.assert_array_equal(read_original(tmp_path / "alpha.png"), image[:, :, :3])
    np.testing.assert_array_equal(read_original(tmp_path / "grey.png"), image[:, :, 0])


def test_reports_replace_older_ones_and_leave_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    write_text("old", target)
    write_text("new", target)
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]
    with pytest.raises(OutputError, match="does not exist"):
        write_text("x", tmp_path / "none" / "report.json")
