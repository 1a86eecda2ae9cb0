"""The whole report in one go."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from framelift.benchmarks import everything
from framelift.benchmarks.everything import Plan, main_model, measure_everything
from framelift.benchmarks.report.page import to_html
from framelift.benchmarks.report.tables import to_markdown, to_text
from framelift.benchmarks.speed.realtime import measure_realtime
from framelift.common.errors import InputError
from tests.support.reports import as_json


def test_everything_about_several_models_is_one_report(
    monkeypatch: pytest.MonkeyPatch,
    shuffle_model_path: Path,
    tiny_models: ModuleType,
    photo_folder: Path,
    clip: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(everything, "installed", lambda: ("ort-numpy", "torch-compile"))
    monkeypatch.setattr(
        everything, "measure_realtime", partial(measure_realtime, sizes=((64, 48),))
    )
    monkeypatch.setattr("framelift.benchmarks.speed.limits.peak_meter", lambda *key: None)
    larger = tiny_models.pixel_shuffle_model(channels=16, name="larger")
    path = tiny_models.save(larger, tmp_path / "larger.onnx")
    plan = Plan((photo_folder,), clip, (136, 16), backend="onnx-cpu", threads=1, seconds=0.05)
    plan = replace(plan, iterations=2, latency_iterations=2)
    said: list[str] = []
    models = (str(path), str(shuffle_model_path))
    document = measure_everything(plan, models, said.append)
    kinds = [part.kind for part in document.documents]
    together = ["latency", "quality", "quality", "espcn", "realtime"]
    assert kinds == [*together, "latency", "overhead", "pictures", "video", "stream"]
    # What is done with one model only is done with the smallest.
    assert as_json(document)["documents"][6]["model"]["name"] == "tiny-shuffle"
    assert "overhead" in said
    page = to_html(document)
    assert "×4 on photos" in page
    text = to_text(document)
    assert text.count("machine: ") == 1
    assert text.count("quality on photos") == 1  # one table of both
    assert to_markdown(document).count("### ") == len(kinds) - 1


def test_what_is_wrong_is_said_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path, photo_folder: Path, tmp_path: Path
) -> None:
    def measured(*arguments: object) -> None:
        raise AssertionError("too early")

    monkeypatch.setattr(everything, "measure_latency", measured)
    monkeypatch.setattr(everything, "measure_quality", measured)
    models = [str(shuffle_model_path)]
    for plan, message in (
        (Plan((photo_folder, tmp_path / "none")), "none: is not a folder"),
        (Plan(video=tmp_path / "none.mp4"), r"none\.mp4: no such file"),
    ):
        with pytest.raises(InputError, match=message):
            measure_everything(plan, models, lambda line: None)


def test_the_default_model_is_the_one_shown(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path, nearest_model_path: Path
) -> None:
    both = [str(shuffle_model_path), str(nearest_model_path)]
    assert main_model(both) == str(nearest_model_path)
    monkeypatch.setattr(everything, "default_model", lambda *, footage: both[int(footage)])
    assert main_model(both) == both[0]


def test_without_the_default_model_it_is_one_that_is_not_int8() -> None:
    assert main_model(["realtime-nano-x4-int8", "realtime-small-x4"]) == "realtime-small-x4"


def test_models_too_large_for_real_time_have_latency_and_quality_alone(
    monkeypatch: pytest.MonkeyPatch, shuffle_model_path: Path, photo_folder: Path
) -> None:
    monkeypatch.setattr(everything, "installed", lambda: ())
    monkeypatch.setattr("framelift.benchmarks.speed.limits.peak_meter", lambda *key: None)
    plan = Plan((photo_folder,), None, (136, 16), backend="onnx-cpu", threads=1, seconds=0)
    plan = replace(plan, iterations=1, latency_iterations=1, heavy_macs=0)
    document = measure_everything(plan, [str(shuffle_model_path)], lambda line: None)
    kinds = [part.kind for part in document.documents]
    assert kinds == ["quality", "latency", "overhead", "pictures", "stream"]
