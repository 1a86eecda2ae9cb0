"""One network in each precision, for each target: what the exporter writes, TensorRT reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint

from ..support.small_networks import photo_pieces, random_checkpoint
from .conftest import Builder

pytestmark = pytest.mark.compile


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("net"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_pieces(tmp_path_factory.mktemp("photos"), 4, 64, 64)


def _export(checkpoint: Path, folder: Path, **config: Any) -> Path:  # noqa: ANN401
    target = folder / "model.onnx"
    return export_checkpoint(checkpoint, target, ExportConfig(**config)).path


@pytest.mark.parametrize(
    ("precision", "target", "opset"),
    [
        ("fp32", "tensorrt10", 18),
        ("fp32", "tensorrt11", 23),
        ("fp16", "tensorrt10", None),
        ("fp16", "tensorrt11", None),
    ],
)
def test_float(
    builder: Builder,
    checkpoint: Path,
    tmp_path: Path,
    precision: str,
    target: str,
    opset: int | None,
) -> None:
    model = _export(checkpoint, tmp_path, precision=precision, targets=(target,), opset=opset)
    built = builder.build(model)
    assert built.get("size", 0) > 0, built
    convolved = {"fp32": "FLOAT", "fp16": "HALF"}[precision]
    assert built["network"]["convolutions"] == [convolved] * 3
    assert built["network"]["quantisers"] == []


@pytest.mark.parametrize("targets", [("tensorrt10",), ("onnxruntime", "tensorrt11")])
def test_int8(
    builder: Builder, checkpoint: Path, photos: Path, tmp_path: Path, targets: tuple[str, ...]
) -> None:
    model = _export(
        checkpoint,
        tmp_path,
        precision="int8",
        targets=targets,
        calibration=photos,
        quality_set=photos,
        max_drop_db=3.0,
    )
    for gpu in ("SM75", "SM120"):
        built = builder.build(model, "1x16x16:1x32x32:2x64x64", gpu)
        assert built.get("size", 0) > 0, built
        assert built["network"]["strongly_typed"]
        # What every convolution but the first takes, which takes the frames as they are.
        assert built["network"]["quantisers"] == ["INT8"] * 2


def test_fixed_sizes(builder: Builder, checkpoint: Path, tmp_path: Path) -> None:
    model = _export(checkpoint, tmp_path, size=(48, 64), batch=2)
    built = builder.build(model, "2x48x64")
    assert built["network"]["inputs"] == [["frames", "UINT8", [2, 48, 64, 3]]]
    assert built["network"]["outputs"] == [["upscaled", "UINT8", [2, 96, 128, 3]]]
    refused = builder.build(model, "2x48x65")
    assert refused["error"] == "BackendError"
    assert "static dimensions that don't match" in refused["message"]
