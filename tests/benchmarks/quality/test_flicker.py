"""Flicker on made-up frames whose changes are known."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from framelift.benchmarks.quality.flicker import (
    change_between,
    mean_of,
    measure_flicker,
    static_mask,
)
from framelift.benchmarks.quality.scores import measure_quality
from framelift.benchmarks.report.compare import figures
from framelift.benchmarks.report.model import decode
from framelift.benchmarks.report.page import to_html
from framelift.benchmarks.report.quality_results import Change
from framelift.benchmarks.report.tables import to_text
from framelift.benchmarks.shared.settings import LatencySettings
from framelift.benchmarks.speed.espcn import measure_espcn
from framelift.common.errors import ConfigError, InputError
from tests.support.reports import Json


def frames() -> tuple[np.ndarray, np.ndarray]:
    """Two frames of 48×96: noise of one code on the left, a square that appears on the right."""
    rng = np.random.default_rng(0)
    before = np.full((48, 96, 3), 100, np.uint8)
    after = before + rng.integers(0, 2, before.shape, np.uint8)
    after[16:32, 72:88] = 200
    return before, after


def test_static_is_what_is_far_from_all_that_moves() -> None:
    mask = static_mask(*frames())
    assert mask[:, :56].all()
    assert not mask[8:40, 64:].any()
    assert static_mask(frames()[0], frames()[0]).all()


@pytest.mark.parametrize("scale", [1, 2])
def test_what_a_model_adds_is_told_apart_from_what_moves(scale: int) -> None:
    before, after = frames()
    noise = after.astype(int) - before
    noise[:, 56:] = 0  # the model below makes the noise of the left half three times as strong
    stronger = (after + 2 * noise).astype(np.uint8)
    big = [np.repeat(np.repeat(image, scale, 0), scale, 1) for image in (before, stronger)]
    pair = change_between((before, big[0]), (after, big[1]))
    still = mean_of([pair])
    mask = static_mask(before, after)
    assert pair.static_share == pytest.approx(mask.mean())
    assert pair.input == pytest.approx(np.abs(after.astype(int) - before).mean(), rel=1e-5)
    assert still.ratio is not None
    assert still.static_ratio is not None
    assert 2.5 < still.static_ratio <= 3
    assert 1 < still.ratio < still.static_ratio


def test_means_weigh_static_regions_by_their_area() -> None:
    pairs = [
        Change(1.0, 2.0, static_share=0.3, static_input=1.0, static_output=4.0),
        Change(1.0, 2.0, static_share=0.1, static_input=2.0, static_output=0.0),
        Change(1.0, 2.0, static_share=0.0, static_input=None, static_output=None),
    ]
    mean = mean_of(pairs)
    assert mean.static_input == pytest.approx(1.25)
    assert mean.static_output == pytest.approx(3.0)
    assert mean.static_ratio == pytest.approx(2.4)
    assert mean.ratio == 2
    assert mean_of(pairs[2:]).static_ratio is None


def test_a_model_that_repeats_pixels_adds_nothing(reports: dict[str, Json]) -> None:
    report = reports["flicker"]
    results = report["results"]
    assert len(results["pairs"]) == report["settings"]["frames"] - 1 == 11
    assert results["mean"]["ratio"] == pytest.approx(1)
    assert results["mean"]["static_share"] < 0.01  # the clip is noise
    assert "is static" in report["warnings"][0]
    text = to_text(decode(report))
    assert "flicker: tiny-nearest (×4) on clip.mp4" in text
    assert "static regions" in text
    assert "<td>static regions</td>" in to_html(decode(report))
    assert next(figure.cost for figure in figures(decode(report))) == pytest.approx(1)


def test_a_style_has_no_original_and_no_espcn(
    tmp_path: Path, tiny_models: ModuleType, photo_folder: Path
) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(1, "plain"), task="style")
    path = tiny_models.save(model, tmp_path / "plain.onnx")
    with pytest.raises(ConfigError, match="plain is a style model: a comparison with originals"):
        measure_quality(path, photo_folder)
    with pytest.raises(ConfigError, match="plain is a style model: a comparison with ESPCN"):
        measure_espcn([path], LatencySettings(8, 8, threads=1, seconds=0, iterations=1))


def test_what_cannot_be_measured(nearest_model_path: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="frames must be at least 3, got 2"):
        measure_flicker(nearest_model_path, clip, frames=2)
    with pytest.raises(InputError, match="no such file"):
        measure_flicker(nearest_model_path, tmp_path / "none.mp4")
