"""`framelift export --depth 16`: uint16 frames in and out, from the same checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner

from framelift.cli.main import framelift
from framelift.common.errors import ConfigError, ExportError
from framelift.export.config import ExportConfig
from framelift.export.exporter import Exported, export_checkpoint
from framelift.export.triton.repository import write_repository
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import JohnsonConfig, NetworkConfig, RealtimeConfig, build_network

CONFIGS: dict[str, NetworkConfig] = {
    "realtime-x2": RealtimeConfig(scale=2, channels=8, layers=1, expansion=1),
    "johnson-x2": JohnsonConfig(scale=2, channels=4, blocks=1),
}


def checkpoint(folder: Path, name: str = "realtime-x2") -> Path:
    torch.manual_seed(0)
    network = build_network(CONFIGS[name]).train()
    network(torch.rand(2, 3, 16, 16))
    path = folder / f"{name}.safetensors"
    save_checkpoint(path, Checkpoint(CONFIGS[name], network.eval().state_dict(), {}))
    return path


def export(source: Path, depth: int, precision: str = "fp32") -> tuple[Exported, list[str]]:
    lines: list[str] = []
    target = source.with_name(f"{source.stem}-{depth}-{precision}.onnx")
    config = ExportConfig(depth=depth, precision=precision)
    return export_checkpoint(source, target, config, lines.append), lines


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file for uint16 frames."""
    return export(checkpoint(tmp_path_factory.mktemp("deep")), 16)[0].path


@pytest.mark.parametrize(("name", "precision"), [("realtime-x2", "fp32"), ("johnson-x2", "fp16")])
def test_one_checkpoint_exports_to_both_depths(tmp_path: Path, name: str, precision: str) -> None:
    source = checkpoint(tmp_path, name)
    deep, lines = export(source, 16, precision)
    plain, _ = export(source, 8, precision)
    assert any("TensorRT has no uint16" in line for line in lines)
    assert {case.frames for case in deep.parity} >= {"photograph", "noise", "ramp", "saturated"}
    if precision == "fp32":
        assert max(case.max_difference for case in deep.parity) <= 1  # of 65,535
    frame = np.random.default_rng(0).integers(0, 65536, (9, 14, 3)).astype(np.uint16)
    session = onnxruntime.InferenceSession(str(deep.path), providers=["CPUExecutionProvider"])
    (by_itself,) = session.run(None, {"frames": frame[None]})
    assert by_itself.dtype == np.uint16
    with (
        Upscaler.load(deep.path, "onnx-cpu") as upscale,
        Upscaler.load(plain.path, "onnx-cpu") as other,
    ):
        assert upscale.depth == 16
        inside = 1 if precision == "fp32" else 257  # which Framelift computes in float32
        assert np.abs(upscale(frame).astype(int) - by_itself[0]).max() <= inside
        assert np.abs(upscale(frame).astype(int) - other(frame)).max() <= 1
        small = (frame >> 8).astype(np.uint8)
        assert np.abs(upscale(small).astype(int) - other(small)).max() <= 1


def test_the_file_says_what_it_takes(deep: Path) -> None:
    spec = read_spec(deep)
    assert (spec.depth, spec.metadata["depth"]) == (16, "16")
    assert spec.metadata["targets"] == "onnxruntime"
    assert spec.halo == build_network(CONFIGS["realtime-x2"]).halo
    onnx.checker.check_model(onnx.load(deep), full_check=True)
    shown = CliRunner().invoke(framelift, ["inspect", str(deep)])
    assert "frames: uint16 N×H×W×3 BGR" in shown.output
    assert "upscaled: uint16 N×2H×2W×3 BGR" in shown.output
    checked = CliRunner().invoke(framelift, ["check", str(deep)])
    assert "onnxruntime: can run it" in checked.output
    assert "tensorrt11: CANNOT run it" in checked.output


def test_triton_is_told_the_type(deep: Path, tmp_path: Path) -> None:
    (version,) = write_repository(deep, tmp_path / "repository")
    config = (version.parent / "config.pbtxt").read_text()
    assert config.count("TYPE_UINT16") == 4  # input, output and two warm-ups
    assert "TYPE_UINT8" not in config
    assert "uint16 BGR" in config


def test_a_deep_model_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelift.export import deep_form
    from framelift.runtime.models.depth import set_depth

    def wrong(model: onnx.ModelProto, before: int, bits: int) -> None:
        set_depth(model, before, bits)
        clip = next(node for node in model.graph.node if node.op_type == "Clip")
        white = next(one for one in model.graph.initializer if one.name == clip.input[2])
        white.CopyFrom(onnx.numpy_helper.from_array(np.array(60000, np.float32), white.name))

    monkeypatch.setattr(deep_form, "set_depth", wrong)
    source = checkpoint(tmp_path)
    with pytest.raises(ExportError, match=r"parity failed on .*off by more than 16.*nothing was"):
        export(source, 16)
    assert list(tmp_path.iterdir()) == [source]


def test_what_has_no_16_bits_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="int8 has 8 bits: use --depth 16 with --precision fp32"):
        ExportConfig(precision="int8", depth=16, calibration=tmp_path)
    with pytest.raises(ConfigError, match="TensorRT has no uint16, so that tensorrt11 cannot run"):
        ExportConfig(depth=16, targets=("onnxruntime", "tensorrt11"))
    with pytest.raises(ConfigError, match="depth is 10: use 8 or 16"):
        ExportConfig(depth=10)
    assert ExportConfig(depth=16, targets=("onnxruntime",)).readers == ("onnxruntime",)


def test_commands_of_tensorrt_refuse_the_file_by_name(deep: Path) -> None:
    run = CliRunner().invoke(framelift, ["engine", "build", str(deep), "--shapes", "64x64"])
    assert run.exit_code != 0
    assert (
        "takes uint16 frames, which TensorRT does not support: export it without --depth 16"
        in str(run.output + str(run.exception))
    )
