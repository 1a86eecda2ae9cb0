"""int8 keeps highlights and colours whatever it was calibrated on, and is judged by its worst."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from framelift.common.errors import ExportError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.int8.calibration import calibrate
from framelift.export.int8.equalise import equalise
from framelift.export.int8.quantisation import quantise
from framelift.export.int8.verdict import MAX_FLAT, Verdict, judge
from framelift.export.parity.comparison import REFERENCE, onnx_frames
from framelift.export.parity.gate import torch_frames
from framelift.export.parity.patterns import flat, flat_primaries
from framelift.export.parity.sizes import Sizes
from framelift.export.torch_export import export_core
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import Realtime, RealtimeConfig

CONFIG = RealtimeConfig(scale=2, channels=12, layers=2, expansion=1)
Frame = NDArray[np.uint8]


def halved(frame: Frame) -> Frame:
    return frame // 2


def red_poor(frame: Frame) -> Frame:
    return frame // np.array([1, 1, 6], np.uint8)


def black(frame: Frame) -> Frame:
    return np.zeros_like(frame)


FOOTAGE = {"dark": halved, "poor in red": red_poor, "black": black}


@pytest.fixture(scope="module")
def network() -> Realtime:
    torch.manual_seed(0)
    return Realtime(CONFIG).eval()


@pytest.fixture(scope="module")
def model(network: Realtime) -> onnx.ModelProto:
    return apply_frame_contract(export_core(network.deploy(), 20), 2)


def pieces() -> list[Frame]:
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    return [image[8 * i : 8 * i + 96, 16 * i : 16 * i + 112].astype(np.uint8) for i in (0, 3, 6)]


@pytest.mark.parametrize(
    ("footage", "target"),
    [  # what is calibrated is the same for both forms
        ("dark", "onnxruntime"),
        ("dark", "tensorrt11"),
        ("poor in red", "onnxruntime"),
        ("black", "tensorrt11"),
    ],
)
def test_colours_come_through_whatever_it_was_calibrated_on(
    tmp_path: Path, network: Realtime, footage: str, target: str
) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for index, piece in enumerate(pieces()):
        cv2.imwrite(str(folder / f"{index}.png"), FOOTAGE[footage](piece))
    path = tmp_path / "net.safetensors"
    save_checkpoint(path, Checkpoint(CONFIG, network.state_dict(), {}))
    config = ExportConfig(precision="int8", calibration=folder, targets=(target,), max_drop_db=1.0)
    exported = export_checkpoint(path, tmp_path / "m.onnx", config)
    run, wanted = onnx_frames(onnx.load(exported.path)), torch_frames(network)
    for colour, frame in flat_primaries().items():
        off = np.abs(run(frame).astype(np.int16) - wanted(frame)).max()
        assert off <= 10, colour
    assert exported.int8 is not None
    assert exported.int8.verdict.flat_difference <= 10


@pytest.mark.parametrize("change", FOOTAGE.values(), ids=FOOTAGE)
def test_what_carries_the_frames_is_known_by_its_weights(
    network: Realtime, model: onnx.ModelProto, change: Callable[[Frame], Frame]
) -> None:
    """A network that gives each pixel as it is, four times: not one code is lost."""
    silent = Realtime(CONFIG)
    silent.load_state_dict(network.state_dict())
    with torch.no_grad():
        for parameter in silent.head.parameters():
            parameter.zero_()
    core = apply_frame_contract(export_core(silent.eval().deploy(), 20), 2)
    frames = [change(piece)[None] for piece in pieces()]
    run = onnx_frames(quantise(calibrate(core, frames), 100, symmetric=False))
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    for frame in (ramp, *flat_primaries().values()):
        np.testing.assert_array_equal(run(frame), frame.repeat(2, 1).repeat(2, 2))


def test_a_channel_that_only_looks_alike_is_no_carrier(model: onnx.ModelProto) -> None:
    """With a bias, a second tap or a negative one a channel has the range that was seen."""
    frames = [halved(piece)[None] for piece in pieces()]

    def scaled(change: Callable[[NDArray[np.float32], NDArray[np.float32]], None]) -> float:
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        tensors = {tensor.name: tensor for tensor in changed.graph.initializer}
        conv = next(node for node in changed.graph.node if node.op_type == "Conv")
        weight, bias = (numpy_helper.to_array(tensors[n]).copy() for n in conv.input[1:])
        change(weight, bias)
        for name, value in zip(conv.input[1:], (weight, bias), strict=True):
            tensors[name].CopyFrom(numpy_helper.from_array(value, name))
        equal, _ = equalise(changed, frames)
        first = next(node for node in equal.graph.node if node.op_type == "Conv")
        found = next(t for t in equal.graph.initializer if t.name == first.input[1])
        return float(np.abs(numpy_helper.to_array(found)[-1]).max())

    def nothing(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        del weight, bias

    def lifted(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        del weight
        bias[-1] = 0.01

    def spread(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> None:
        del bias
        weight[-1, :, 0, 0] = weight[-1].max()

    assert scaled(nothing) == pytest.approx(1, abs=1e-6)  # 255 codes are 255 steps
    assert scaled(lifted) > 1.5
    assert scaled(spread) < 0.99


def cut(model: onnx.ModelProto, share: float) -> onnx.ModelProto:
    """A uint8 model whose first activation ends at a share of its range: bright pixels are cut."""
    worse = onnx.ModelProto()
    worse.CopyFrom(model)
    tensors = {tensor.name: tensor for tensor in worse.graph.initializer}
    nodes = list(worse.graph.node)
    quantise_node = next(node for node in nodes if node.op_type == "QuantizeLinear")
    following = next(node for node in nodes if quantise_node.output[0] in node.input)
    for node, factor in ((quantise_node, share), (following, share)):
        name = node.input[1]
        value = numpy_helper.to_array(tensors[name]) * np.float32(factor)
        if node is quantise_node or following.input[1] != quantise_node.input[1]:
            tensors[name].CopyFrom(numpy_helper.from_array(value, name))
    return worse


def test_the_judge_sees_highlights_that_are_cut(model: onnx.ModelProto) -> None:
    frames = [piece[None] for piece in pieces()]
    sound = quantise(calibrate(model, frames), 100, symmetric=False)
    worse = cut(sound, 0.5)
    assert int(onnx_frames(worse)(flat(255))[:, 30:50, 30:70].max()) < 200
    dark = [(f"image {index}", halved(piece)) for index, piece in enumerate(pieces(), 1)]
    verdict = judge(model, worse, dark, 2, Sizes())
    assert verdict.drop_db < 0.15  # what the dark images say
    assert verdict.flat_difference > MAX_FLAT
    assert verdict.worst_image == "the reference photograph"
    assert verdict.worst_drop_db > 0.15
    assert judge(model, sound, dark, 2, Sizes()).failure(0.15) is None


def test_the_worst_counts_not_the_mean(model: onnx.ModelProto) -> None:
    frames = [piece[None] for piece in pieces()]
    worse = cut(quantise(calibrate(model, frames), 100, symmetric=False), 0.8)
    images = [("dark", piece // 3) for piece in pieces()]
    bright = np.clip(pieces()[0].astype(np.int16) + 120, 0, 255).astype(np.uint8)
    verdict = judge(model, worse, [*images, ("bright", bright)], 2, Sizes())
    assert verdict.worst_image == "bright"
    assert verdict.worst_drop_db > 3 * max(verdict.drop_db, 0.01)
    failure = verdict.failure(max(verdict.drop_db, 0) + 0.01)
    assert failure is not None
    assert failure.startswith(f"int8 loses {verdict.worst_drop_db:.3f} dB on bright (limit ")


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        (Verdict(2, 30.0, 30.0, 0.1, "image 1", 16, "red 255", 35.0), None),
        (
            Verdict(2, 30.0, 30.0, 0.16, "image 1", 3, "red 255", 45.0),
            r"loses 0\.160 dB on image 1",
        ),
        (Verdict(2, 30.0, 30.0, float("nan"), "image 1", 3, "red 255", 45.0), "loses nan dB"),
        (
            Verdict(2, 30.0, 30.0, 0.0, "image 1", 110, "red 255", 45.0),
            "all red 255 is 110 codes off",
        ),
        (
            Verdict(2, 30.0, 30.0, 0.0, "image 1", 3, "red 255", 34.9),
            r"full colours are at 34\.9 dB",
        ),
    ],
)
def test_what_a_verdict_refuses(verdict: Verdict, message: str | None) -> None:
    failure = verdict.failure(0.15)
    assert (failure is None) is (message is None)
    if failure is not None and message is not None:
        with pytest.raises(ExportError, match=message):
            raise ExportError(failure)


def test_equal_pictures_lose_nothing(model: onnx.ModelProto) -> None:
    """An image that comes out as it was has infinite PSNR in both."""
    images = [("black", np.zeros((64, 64, 3), np.uint8)), ("photograph", pieces()[0])]
    verdict = judge(model, model, images, 2, Sizes())
    assert verdict.worst_drop_db == 0
    assert verdict.drop_db == 0
    assert verdict.failure(0.0) is None
    assert np.isfinite(verdict.psnr_int8_db)
