from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import msgspec
import pytest
from click.testing import CliRunner

from framelift.cli.inspect import inspect
from framelift.cli.main import framelift
from framelift.common.errors import CheckpointError, ModelError
from framelift.runtime.models import zoo
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.checkpoints.header import inspect_checkpoint
from framelift.train.networks import RealtimeConfig, build_network


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


def test_a_checkpoint_is_shown_without_pytorch(tmp_path: Path) -> None:
    config = RealtimeConfig(scale=2, channels=8, layers=1, expansion=1)
    weights = build_network(config).state_dict()
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(config, weights, {"steps": 7, "optimizer": {"lr": 1e-3}}))
    code = (
        "import sys\n"
        "from framelift.cli.main import main\n"
        "try:\n"
        "    main(['inspect', *sys.argv[1:]])\n"
        "finally:\n"
        "    assert not {'torch', 'msgspec'} & set(sys.modules)\n"
    )
    shown, as_json = (
        subprocess.run([sys.executable, "-c", code, path, *options], capture_output=True, text=True)
        for options in ([], ["--json"])
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert re.search(r"task +super-resolution ×2\n", shown.stdout)
    assert re.search(r"network +name: realtime\n +scale: 2\n +channels: 8\n", shown.stdout)
    assert "optimizer: lr 0.001" in shown.stdout
    document = json.loads(as_json.stdout)
    assert document["network"] == {"name": "realtime", **msgspec.to_builtins(config)}
    assert document["training_parameters"] == sum(value.numel() for value in weights.values())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "not a readable .safetensors file"),
        (lambda data: data + b"x", "not a readable .safetensors file"),
        (lambda data: b"", "not a readable .safetensors file"),
        (lambda data: b"\xff" * 8 + data[8:], "not a readable .safetensors file"),
        (lambda data: data.replace(b"framelift", b"framelifX"), "without framelift's header"),
        (lambda data: data.replace(b'\\"format\\": 1', b'\\"format\\": 9'), "format 9, this"),
    ],
)
def test_damaged_checkpoints_are_one_line(
    tmp_path: Path, damage: Callable[[bytes], bytes], message: str
) -> None:
    config = RealtimeConfig(scale=2, channels=8, layers=1, expansion=1)
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, Checkpoint(config, build_network(config).state_dict(), {}))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=re.escape(message)):
        inspect_checkpoint(path)


def test_metadata_nested_without_end_are_shown_as_text(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    for depth in (70, 400, 900):
        deep = depth * '{"a": ' + "1" + depth * "}"
        model = tiny_models.set_metadata(tiny_models.nearest_model(), training=deep)
        path = tiny_models.save(model, tmp_path / "m.onnx")
        for options in ([], ["--json"]):
            result = CliRunner().invoke(framelift, ["inspect", str(path), *options])
            assert result.exit_code == 0
            assert '{"a": {' in result.stdout or '{\\"a\\": {' in result.stdout
