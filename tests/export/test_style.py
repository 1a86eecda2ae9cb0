"""Style networks take the path of every other model: one size in and out, tiles where exact."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from framelift.common.errors import ConfigError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, load_checkpoint, save_checkpoint
from framelift.train.networks import StyleConfig, build_network
from framelift.train.validation.scores import upscale_with

CONFIGS = {
    "batch": StyleConfig(channels=4, blocks=1, norm="batch", upsampling="transposed"),
    "instance": StyleConfig(channels=4, blocks=1),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("styles")
    for name, config in CONFIGS.items():
        torch.manual_seed(0)
        network = build_network(config).train()
        for _ in range(3):
            network(torch.rand(2, 3, 16, 16))
        save_checkpoint(
            folder / f"{name}.safetensors", Checkpoint(config, network.state_dict(), {"steps": 3})
        )
        export_checkpoint(folder / f"{name}.safetensors", folder / f"{name}.onnx")
    return folder


@pytest.mark.parametrize("name", CONFIGS)
def test_any_size_comes_out_as_it_went_in(folder: Path, name: str) -> None:
    spec = read_spec(folder / f"{name}.onnx")
    assert (spec.task, spec.scale, spec.size_multiple, spec.minimum_side) == ("style", 1, 4, 8)
    network = load_checkpoint(folder / f"{name}.safetensors").network()
    wanted = upscale_with(network, torch.device("cpu"), 4)
    rng = np.random.default_rng(0)
    with Upscaler.load(folder / f"{name}.onnx", "onnx-cpu", threads=1) as stylise:
        for height, width in ((1, 1), (3, 9), (33, 46), (40, 24)):
            frame = rng.integers(0, 256, (height, width, 3), np.uint8)
            styled = stylise(frame)
            assert styled.shape == frame.shape
            if min(height, width) >= spec.minimum_side:
                assert np.abs(styled.astype(int) - wanted(frame)).max() <= 1


def test_tiles_equal_the_whole_frame_with_batch_norm(folder: Path) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (150, 170, 3), np.uint8)
    path = folder / "batch.onnx"
    assert read_spec(path).halo == build_network(CONFIGS["batch"]).halo
    with Upscaler.load(path, "onnx-cpu", threads=1) as whole:
        expected = whole(frame)
    with Upscaler.load(path, "onnx-cpu", threads=1, tile=100) as tiled:
        assert np.abs(tiled(frame).astype(int) - expected).max() <= 1


def test_instance_norm_is_never_tiled(folder: Path) -> None:
    path = folder / "instance.onnx"
    assert not read_spec(path).is_local
    with pytest.raises(ConfigError, match=r"instance looks at the whole frame .* tiles would show"):
        Upscaler.load(path, "onnx-cpu", tile=64)


def test_the_input_needs_no_convolution_of_its_own(folder: Path) -> None:
    operators = [node.op_type for node in onnx.load(folder / "batch.onnx").graph.node]
    assert operators.count("Conv") + operators.count("ConvTranspose") == 8
    assert "BatchNormalization" not in operators


def test_half_precision_keeps_the_norm_in_float32(folder: Path) -> None:
    said: list[str] = []
    exported = export_checkpoint(
        folder / "instance.safetensors",
        folder / "half.onnx",
        ExportConfig(precision="fp16"),
        said.append,
    )
    assert len(said) == 1  # whole frames only; nothing that TensorRT might not take
    assert "never run in tiles" in said[0]
    graph = onnx.load(exported.path).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    norms = [node for node in graph.node if node.op_type == "InstanceNormalization"]
    assert norms
    assert all(types[node.output[0]] == onnx.TensorProto.FLOAT for node in norms)


def test_int8_is_refused_for_want_of_a_judge(folder: Path) -> None:
    config = ExportConfig(precision="int8", calibration=folder)
    with pytest.raises(ConfigError, match="a style model has none; use --precision fp32 or fp16"):
        export_checkpoint(folder / "batch.safetensors", folder / "int8.onnx", config)
