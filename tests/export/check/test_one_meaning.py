"""A file gives the same picture in framelift's runtime and in ONNX Runtime as it stands, also where
values are beyond what the model was calibrated on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from framelift.export.check.targets import shuffles_integers
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.int8.calibration import Calibrated, calibrate
from framelift.export.int8.quantisation import quantise
from framelift.export.parity.comparison import REFERENCE, onnx_frames
from framelift.export.parity.patterns import flat_primaries, saturated
from framelift.export.torch_export import export_core
from framelift.runtime import Upscaler
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import read_spec
from framelift.runtime.models.zoo import shipped_models
from framelift.runtime.session.grey import is_grey, make_grey
from framelift.runtime.session.protocol import Frames
from framelift.train.networks import Realtime, RealtimeConfig

from ...support.small_networks import random_checkpoint

CONFIG = RealtimeConfig(scale=2, channels=12, layers=3, expansion=1)
INT8_TARGETS = {
    "all": ("onnxruntime", "tensorrt10", "tensorrt11"),
    "tensorrt11": ("tensorrt11",),
    "onnxruntime": ("onnxruntime",),
    "onnxruntime==1.20": ("onnxruntime==1.20",),
    "onnxruntime==1.19, tensorrt10": ("onnxruntime==1.19", "tensorrt10"),
}
SHIPPED = shipped_models()


def extremes() -> Iterator[NDArray[np.uint8]]:
    noise = np.random.default_rng(0).integers(0, 2, (24, 36, 3), np.uint8) * np.uint8(255)
    yield from (frame[0, :24, :36] for frame in flat_primaries().values())
    yield from (frame[:48, :48] for frame in saturated())
    yield noise


def shown(frame: Frames, result: Frames) -> Frames:
    """What the runtime makes of a network's result: grey where the frame is grey."""
    larger = len(result) > len(frame)  # styles may colour what is grey
    return make_grey(np.ascontiguousarray(result)) if larger and is_grey(frame) else result


def assert_one_meaning(path: Path) -> None:
    run = onnx_frames(onnx.load(path))
    with Upscaler.load(path, "onnx-cpu") as upscale:
        for frame in extremes():
            wanted = shown(frame, run(frame[None])[0])
            assert np.abs(upscale(frame).astype(np.int16) - wanted).max() <= 1


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("net"), CONFIG)


@pytest.fixture(scope="module")
def fp32(checkpoint: Path) -> Path:
    return export_checkpoint(checkpoint, checkpoint.with_name("fp32.onnx")).path


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_floats(tmp_path: Path, checkpoint: Path, precision: str) -> None:
    config = ExportConfig(precision=precision)
    assert_one_meaning(export_checkpoint(checkpoint, tmp_path / "m.onnx", config).path)


@pytest.fixture(scope="module")
def calibrated() -> Calibrated:
    """On dark frames, which the export does not let through: the extremes are far beyond them."""
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    dark = [(image[None, 16 * i : 16 * i + 64, :96] // 6).astype(np.uint8) for i in range(4)]
    torch.manual_seed(0)
    core = apply_frame_contract(export_core(Realtime(CONFIG).eval().deploy(), 20), 2)
    return calibrate(core, dark)


@pytest.mark.parametrize("targets", INT8_TARGETS.values(), ids=INT8_TARGETS)
def test_int8_calibrated_on_dark_frames(
    tmp_path: Path, fp32: Path, calibrated: Calibrated, targets: tuple[str, ...]
) -> None:
    quantised = quantise(
        calibrated,
        100,
        symmetric=any(target.startswith("tensorrt") for target in targets),
        float_shuffle=not shuffles_integers(targets),
    )
    entries = {entry.key: entry.value for entry in onnx.load(fp32).metadata_props}
    del entries["framelift.graph_sha256"]
    onnx.helper.set_model_props(quantised, entries | {"framelift.precision": "int8"})
    path = tmp_path / "m.onnx"
    path.write_bytes(quantised.SerializeToString())
    assert_one_meaning(path)
    session = OnnxCpuSession(read_spec(path), pack=False)  # the graph's own pixel shuffle
    with Upscaler.load(path, "onnx-cpu") as upscale:
        assert upscale.describe()["pixel_shuffle"] == "host"
        for frame in extremes():
            out = np.empty((1, 2 * frame.shape[0], 2 * frame.shape[1], 3), np.uint8)
            session.run(np.ascontiguousarray(frame[None]), out)
            np.testing.assert_array_equal(shown(frame, out[0]), upscale(frame))


@pytest.mark.parametrize("name", [name for name in SHIPPED if "johnson" not in name])
def test_shipped_models(name: str) -> None:
    assert_one_meaning(SHIPPED[name])
