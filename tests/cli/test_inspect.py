from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from framelift.cli.inspect import inspect
from framelift.imaging.errors import ModelError
from framelift.runtime import zoo


def test_table_holds_everything(shuffle_model_path: Path) -> None:
    result = CliRunner().invoke(inspect, [str(shuffle_model_path)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = dict(
        line.split("  ", 1) for line in result.output.splitlines() if not line.startswith(" ")
    )
    shown = {key: value.strip() for key, value in lines.items()}
    assert shown["name"] == "tiny-shuffle"
    assert shown["task"] == "super-resolution ×4"
    assert shown["input"] == "frames: uint8 N×H×W×3 BGR"
    assert shown["output"] == "upscaled: uint8 N×4H×4W×3 BGR"
    assert shown["parameters"] == "3,872"
    assert shown["opset"] == "20 (IR version 10)"
    assert shown["halo"] == "2 input pixels"
    assert shown["licence"] == "Apache-2.0"
    assert shown["parity"] == "noise 1×24×32: max_difference 0, psnr_db None"
    assert shown["created with"].startswith("onnx: ")


def test_a_model_that_must_not_be_tiled(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(1), task="style", halo="1000000")
    output = CliRunner().invoke(inspect, [str(tiny_models.save(model, tmp_path / "m.onnx"))]).output
    lines = [line.split(maxsplit=1) for line in output.splitlines()]
    assert ["halo", "whole frames only"] in lines
    assert ["task", "style"] in lines
    assert ["output", "upscaled: uint8 N×H×W×3 BGR"] in lines


def test_json_holds_all_metadata(shuffle_model_path: Path) -> None:
    result = CliRunner().invoke(inspect, [str(shuffle_model_path), "--json"])
    document = json.loads(result.output)
    assert document["path"] == str(shuffle_model_path)
    assert document["parameters"] == 3872
    assert document["input"] == {"frames": "uint8 N×H×W×3 BGR"}
    assert document["metadata"]["network"] == {"name": "tiny", "scale": 4}
    assert document["metadata"]["scale"] == "4"


def test_fixed_sizes_are_shown(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.nearest_model(scale=2, frame_shape=(1, 24, 32))
    path = tiny_models.save(model, tmp_path / "fixed.onnx")
    output = CliRunner().invoke(inspect, [str(path)]).output
    assert "frames: uint8 1×24×32×3 BGR" in output
    assert "upscaled: uint8 1×48×64×3 BGR" in output


def test_shipped_model_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_models: ModuleType
) -> None:
    tiny_models.save(tiny_models.nearest_model(), tmp_path / "shipped-x4.onnx")
    monkeypatch.setattr(zoo, "MODELS", tmp_path)
    result = CliRunner().invoke(inspect, ["shipped-x4"])
    assert result.exit_code == 0
    assert "tiny-nearest" in result.output


def test_a_missing_licence_is_said(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.nearest_model()
    for entry in model.metadata_props:
        if entry.key == "framelift.licence":
            entry.value = ""
    path = tiny_models.save(model, tmp_path / "m.onnx")
    lines = CliRunner().invoke(inspect, [str(path)]).output.splitlines()
    assert [line.split() for line in lines if line.startswith("licence")] == [
        ["licence", "not", "stated"]
    ]


def test_file_that_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_text("text")
    with pytest.raises(ModelError, match="not an ONNX file"):
        CliRunner().invoke(inspect, [str(path)], catch_exceptions=False)


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000])
def test_text_that_is_hardly_json_is_shown_as_it_is(
    tmp_path: Path, tiny_models: ModuleType, text: str
) -> None:
    model = tiny_models.set_metadata(tiny_models.nearest_model(1), remark=text)
    path = tiny_models.save(model, tmp_path / "m.onnx")
    result = CliRunner().invoke(inspect, [str(path), "--json"], catch_exceptions=False)
    assert json.loads(result.output)["metadata"]["remark"] == text
