"""Export: the file computes what PyTorch computes, describes itself, or is not there."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from framelift.common.errors import CheckpointError, ExportError, OutputError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.int8.calibration_frames import record
from framelift.export.parity.comparison import Parity, onnx_frames, reference_frames
from framelift.export.parity.gate import Gate
from framelift.export.source.network import Source
from framelift.runtime import Upscaler
from framelift.runtime.models.digest import graph_sha256
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import (
    JohnsonConfig,
    NetworkConfig,
    RealtimeConfig,
    SRNetwork,
    build_network,
)

CONFIGS: dict[str, NetworkConfig] = {
    "realtime-x4": RealtimeConfig(scale=4, channels=8, layers=2, expansion=1),
    "realtime-x2": RealtimeConfig(scale=2, channels=8, layers=1, expansion=1),
    "johnson-x4": JohnsonConfig(scale=4, channels=4, blocks=1),
}


def seeded_network(config: NetworkConfig) -> SRNetwork:
    """A network whose norms have seen data, in eval mode."""
    torch.manual_seed(0)
    network = build_network(config).train()
    for _ in range(3):
        network(torch.rand(2, 3, 16, 16))
    return network.eval()


@pytest.fixture(scope="module", params=CONFIGS, ids=str)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = CONFIGS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    network = seeded_network(config)
    checkpoint = Checkpoint(config, network.state_dict(), {"steps": 3})
    save_checkpoint(folder / "net.safetensors", checkpoint)
    return export_checkpoint(
        folder / "net.safetensors",
        folder / f"{request.param}.onnx",
        ExportConfig(licence="CC0-1.0"),
    ).path


def test_exported_model_equals_torch_on_every_reference_frame(exported: Path) -> None:
    gate = Gate(seeded_network(CONFIGS[exported.stem]))
    for parity in gate.require(onnx.load(exported)):
        assert parity.max_difference <= 1


def test_upscaler_gives_what_the_plain_file_gives(exported: Path) -> None:
    frame = reference_frames()[1][1][0]
    plain = onnx_frames(onnx.load(exported))(frame[None])[0]
    with Upscaler.load(exported, "onnx-cpu") as upscaler:
        np.testing.assert_array_equal(upscaler(frame), plain)


def test_exported_model_describes_itself(exported: Path) -> None:
    spec = read_spec(exported)
    config = CONFIGS[exported.stem]
    assert (spec.name, spec.scale, spec.opset) == (exported.stem, config.scale, 20)
    assert (spec.task, spec.precision, spec.licence) == ("super-resolution", "fp32", "CC0-1.0")
    assert spec.halo == build_network(config).halo
    assert {"torch", "onnx", "framelift"} <= set(spec.created_with)
    assert spec.created_with["onnxruntime"] == onnxruntime.__version__
    assert {label.split()[0] for label in spec.parity} == {
        "photograph",
        "noise",
        "white",
        "black",
        "saturated",
    }
    assert all(case["off_share"] == 0 for case in spec.parity.values())


def test_graph_of_the_realtime_network_is_plain(exported: Path) -> None:
    if not exported.stem.startswith("realtime"):
        pytest.skip("about the realtime network")
    model = onnx.load(exported)
    body = [node.op_type for node in model.graph.node][2:-5]
    assert set(body) == {"Conv", "Relu"}
    assert [node.op_type for node in model.graph.node][-5:] == [
        "Clip",
        "Floor",
        "DepthToSpace",
        "Transpose",
        "Cast",
    ]


def test_halo_is_exact(exported: Path) -> None:
    spec, model = read_spec(exported), onnx.load(exported)
    # What is clamped at the end, as floats: code values would hide the weakest taps.
    (levels,) = (node.input[0] for node in model.graph.node if node.name == "clamp")
    side = 2 * spec.halo + 9
    middle = side // 2
    frames = np.random.default_rng(1).integers(0, 256, (1, side, side, 3), np.uint8)
    brighter, darker = frames.copy(), frames.copy()
    brighter[0, middle, middle], darker[0, middle, middle] = 255, 0
    first, second = (values[levels] for values in record(model, [levels], [brighter, darker]))
    changed = np.argwhere((first != second).any(axis=(0, 1))) * side // first.shape[2]
    assert np.abs(changed - middle).max() == spec.halo


@pytest.mark.parametrize(("opset", "nearest"), [(7, 18), (99, 23)])
def test_opset_outside_the_window_names_the_tool(tmp_path: Path, opset: int, nearest: int) -> None:
    config = ExportConfig(opset=opset)
    message = rf"opset {opset}: the PyTorch exporter takes 18 to 23; .* works is {nearest}"
    with pytest.raises(ExportError, match=message):
        export_checkpoint(tmp_path / "none.safetensors", tmp_path / "m.onnx", config)


def test_a_model_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelift.export import exporter

    def brighter(
        core: onnx.ModelProto, scale: int, shape: tuple[int | None, int | None, int | None]
    ) -> onnx.ModelProto:
        model = apply_frame_contract(core, scale, shape)
        for tensor in model.graph.initializer:
            if tensor.name.endswith(".bias") and list(tensor.dims) == [12]:
                bias = onnx.numpy_helper.to_array(tensor) + 3
                tensor.CopyFrom(onnx.numpy_helper.from_array(bias, tensor.name))
        return model

    monkeypatch.setattr(exporter, "apply_frame_contract", brighter)
    config = CONFIGS["realtime-x2"]
    save_checkpoint(
        tmp_path / "net.safetensors", Checkpoint(config, seeded_network(config).state_dict(), {})
    )
    with pytest.raises(ExportError, match=r"parity failed on photograph 1×192×256: .* nothing was"):
        export_checkpoint(tmp_path / "net.safetensors", tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize(
    ("precision", "off_share", "psnr_db", "limit"),
    [
        ("fp32", 0.001, 30.0, None),
        ("fp32", 0.0011, 60.0, "(limit 0.1% of values)"),
        ("fp16", 0.5, 50.0, None),
        ("fp16", 0.0, 49.99, "(limit 50 dB)"),
        ("fp16", 0.0, None, None),
    ],
)
def test_the_limits_of_each_precision(
    precision: str, off_share: float, psnr_db: float | None, limit: str | None
) -> None:
    failure = Parity("noise", (1, 9, 9, 3), 2, off_share, psnr_db).failure(precision)
    assert (failure is None) if limit is None else (failure is not None and limit in failure)


def test_a_network_with_nan_weights_is_refused(tmp_path: Path) -> None:
    config = CONFIGS["realtime-x2"]
    weights = seeded_network(config).state_dict()
    weights["head.bias"][0] = float("nan")
    header = {"format": 1, "network": msgspec.to_builtins(config), "training": {}}
    save_file(weights, tmp_path / "net.safetensors", {"framelift": json.dumps(header)})
    with pytest.raises(CheckpointError, match=r"head\.bias contains NaN or infinity"):
        export_checkpoint(tmp_path / "net.safetensors", tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


def test_weights_that_the_gate_does_not_show_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ReLU turns NaN into 0 in some engines, and reference frames reach not every weight."""
    from framelift.export import exporter

    def spoilt(
        core: onnx.ModelProto, scale: int, shape: tuple[int | None, int | None, int | None]
    ) -> onnx.ModelProto:
        model = apply_frame_contract(core, scale, shape)
        unused = onnx.numpy_helper.from_array(np.array([np.inf], np.float32), "unused")
        model.graph.initializer.append(unused)
        return model

    monkeypatch.setattr(exporter, "apply_frame_contract", spoilt)
    monkeypatch.setattr(exporter, "clean_up", lambda model: model)
    config = CONFIGS["realtime-x2"]
    save_checkpoint(
        tmp_path / "net.safetensors", Checkpoint(config, seeded_network(config).state_dict(), {})
    )
    with pytest.raises(
        ExportError, match=r"contain infinity \(tensor 'unused'\); nothing was written"
    ):
        export_checkpoint(tmp_path / "net.safetensors", tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


class Bicubic(nn.Module):
    def __init__(self, antialias: bool) -> None:
        super().__init__()
        self.antialias = antialias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.interpolate(
            x, scale_factor=2, mode="bicubic", antialias=self.antialias
        )


@pytest.mark.parametrize(
    ("antialias", "halo", "message"),
    [
        (True, None, "tensorrt10: Resize .* antialiasing is not taken; .* leave this target out"),
        (False, 7, "reaches 7 pixels, its graph reaches 2; tiles would show seams"),
    ],
)
def test_what_a_target_or_tiles_cannot_take_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    antialias: bool,
    halo: int | None,
    message: str,
) -> None:
    from framelift.export import exporter

    network = Bicubic(antialias)
    source = Source(network, network, 2, 1, 1, halo, {"name": "bicubic"}, {})
    monkeypatch.setattr(exporter, "load_source", lambda path: source)
    with pytest.raises(ExportError, match=message):
        export_checkpoint(tmp_path / "net.pth", tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_an_existing_model_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "m.onnx"
    target.write_bytes(b"precious")
    with pytest.raises(OutputError, match="already exists; pass --overwrite"):
        export_checkpoint(tmp_path / "none.safetensors", target)
    assert target.read_bytes() == b"precious"


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"gone\.safetensors: no such file"):
        export_checkpoint(tmp_path / "gone.safetensors", tmp_path / "m.onnx")


def test_metadata_is_json_where_promised(exported: Path) -> None:
    model = onnx.load(exported)
    props = {entry.key: entry.value for entry in model.metadata_props}
    assert props["framelift.graph_sha256"] == graph_sha256(model)
    for key in ("network", "parity", "created_with", "training"):
        assert isinstance(json.loads(props[f"framelift.{key}"]), dict)
