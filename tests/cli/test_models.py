from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from framelift.cli.models import models
from framelift.runtime import zoo


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_models: ModuleType) -> Path:
    tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "small-x4.onnx")
    tiny_models.save(tiny_models.nearest_model(2), tmp_path / "plain-x2.onnx")
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("shipped")
def test_table() -> None:
    result = CliRunner().invoke(models, catch_exceptions=False)
    header, plain, small = (line.split() for line in result.output.splitlines())
    assert header == ["name", "task", "parameters", "size", "halo", "precision", "licence"]
    assert plain[:2] == ["plain-x2", "×2"]
    assert small[:3] == ["small-x4", "×4", "3,872"]
    assert small[-3:] == ["px", "fp32", "Apache-2.0"]


def test_json(shipped: Path) -> None:
    result = CliRunner().invoke(models, ["--json"], catch_exceptions=False)
    plain, small = json.loads(result.output)
    assert plain["name"] == "plain-x2"
    assert small["path"] == str(shipped / "small-x4.onnx")
    assert (small["scale"], small["halo"], small["parameters"]) == (4, 2, 3872)


def test_a_style_has_no_scale_and_no_halo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_models: ModuleType
) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(1), task="style", halo="1000000")
    tiny_models.save(model, tmp_path / "paint.onnx")
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    table = CliRunner().invoke(models, catch_exceptions=False).output
    assert table.splitlines()[1].split()[:2] == ["paint", "style"]
    assert "whole frames only" in table
    assert "1000000" not in table
    (entry,) = json.loads(CliRunner().invoke(models, ["--json"]).output)
    assert (entry["task"], entry["scale"], entry["halo"]) == ("style", 1, None)


def test_no_shipped_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    assert "No models are shipped" in CliRunner().invoke(models).output
    assert json.loads(CliRunner().invoke(models, ["--json"]).output) == []
