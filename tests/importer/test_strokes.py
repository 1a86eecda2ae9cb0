"""Larger strokes: the model that is made for them paints the reduced picture and enlarges it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch.nn import functional

from framelift.common.errors import ConfigError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.importer.strokes import enlarged, with_stroke_size
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import StyleConfig, build_network


@pytest.fixture(scope="module")
def style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("style")
    torch.manual_seed(0)
    config = StyleConfig(channels=4, blocks=1)
    weights = build_network(config).state_dict()
    save_checkpoint(folder / "model.safetensors", Checkpoint(config, weights, {}))
    export_checkpoint(
        folder / "model.safetensors", folder / "style.onnx", ExportConfig(), lambda line: None
    )
    return folder / "style.onnx"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_reduced_picture_is_painted_and_enlarged(style: Path, cache: Path) -> None:
    plain = read_spec(style)
    spec = with_stroke_size(plain, 2)
    assert (spec.size_multiple, spec.minimum_side) == (8, 16)
    assert spec.name == "style (strokes ×2)"
    frame = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    small = frame.reshape(24, 2, 32, 2, 3).mean((1, 3)).round().astype(np.uint8)
    with Upscaler.load(plain, "onnx-cpu", threads=1) as upscale:
        painted = torch.from_numpy(upscale(small).astype(np.float32))
    planes = painted.permute(2, 0, 1)[None]
    expected = functional.interpolate(planes, scale_factor=2, mode="bicubic")[0].permute(1, 2, 0)
    with Upscaler.load(spec, "onnx-cpu", threads=1) as upscale:
        large = upscale(frame).astype(np.float32)
        odd = upscale(frame[:41, :50])
    inner = np.s_[4:-4, 4:-4]  # at the edges the two repeat pixels in their own ways
    # The painted picture is not rounded on the way; 8 bits lie between here.
    assert np.abs(large - expected.clamp(0, 255).numpy())[inner].max() <= 4
    assert odd.shape == (41, 50, 3)
    assert len(list(cache.glob("strokes/*.onnx"))) == 1
    assert with_stroke_size(plain, 2).sha256 == spec.sha256
    assert with_stroke_size(plain, 1) is plain


def test_a_damaged_file_in_the_cache_is_made_again(style: Path, cache: Path) -> None:
    plain = read_spec(style)
    kept = with_stroke_size(plain, 3)
    (file,) = cache.glob("strokes/*.onnx")
    file.write_bytes(b"damaged")
    assert with_stroke_size(plain, 3).sha256 == kept.sha256


def test_graphs_of_another_form_are_refused(style: Path) -> None:
    model = onnx.load(style)
    (floor,) = (node for node in model.graph.node if node.op_type == "Floor")
    floor.op_type = "Round"
    with pytest.raises(ConfigError, match="--style-size 2: the graph of this model does not begin"):
        enlarged(model, 2)
