"""The whole report in one go."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from framelift.benchmarks import everything
from framelift.benchmarks.everything import Plan, measure_everything
from framelift.benchmarks.page import to_html
from framelift.benchmarks.tables import to_markdown, to_text
from framelift.imaging.errors import ModelError


def test_everything_about_several_models_is_one_report(
    monkeypatch: pytest.MonkeyPatch,
    shuffle_model_path: Path,
    tiny_models: ModuleType,
    photo_folder: Path,
    clip: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(everything, "installed", lambda: ("ort-numpy", "torch-compile"))
    monkeypatch.setattr(everything, "_ITERATIONS", 2)
    monkeypatch.setattr("framelift.benchmarks.limits.peak_meter", lambda *key: None)
    larger = tiny_models.pixel_shuffle_model(channels=16, name="larger")
    path = tiny_models.save(larger, tmp_path / "larger.onnx")
    plan = Plan(photo_folder, clip, size=(136, 16), backend="onnx-cpu", threads=1, seconds=0.05)
    said: list[str] = []
    models = (str(path), str(shuffle_model_path))
    document = measure_everything(plan, said.append, models)
    kinds = [part["kind"] for part in document["documents"]]
    latencies, qualities = ["latency"] * 2, ["quality"] * 2
    assert kinds == [*latencies, "overhead", *qualities, "pictures", "video", "stream"]
    # What is done with one model only is done with the smallest.
    assert document["documents"][2]["model"]["name"] == "tiny-shuffle"
    assert "overhead" in said
    page = to_html(document)
    assert "larger, 136×16" in page
    text = to_text(document)
    assert text.count("machine: ") == 1
    assert to_markdown(document).count("### ") == len(kinds)


def test_without_models_there_is_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(everything, "shipped_models", dict)
    with pytest.raises(ModelError, match="no models ship"):
        measure_everything(Plan(), lambda line: None)
