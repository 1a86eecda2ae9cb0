"""int8: calibrated, judged by PSNR, in a form that its targets read and its words are true of."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from framelift.common.errors import ConfigError, ExportError, InputError
from framelift.export.config import ExportConfig
from framelift.export.exporter import export_checkpoint
from framelift.export.graph.contract import apply_frame_contract
from framelift.export.int8.calibration import calibrate
from framelift.export.int8.calibration_frames import MAX_FRAMES, crop, read_frames
from framelift.export.int8.equalise import RANGE, equalise
from framelift.export.int8.gate import Quantised
from framelift.export.int8.quantisation import quantise
from framelift.export.int8.rounding import Statistics, quantise_weights
from framelift.export.int8.verdict import Verdict
from framelift.export.parity.comparison import onnx_frames, reference_frames
from framelift.export.parity.gate import Gate
from framelift.export.torch_export import export_core
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu.saturation import hold_sums, pair_shares
from framelift.runtime.models.file import read_spec
from framelift.train.networks import Realtime

from ...support.small_networks import CONFIG, photo_pieces, random_checkpoint

UINT8_OPERATORS = {"Transpose", "DequantizeLinear", "QuantizeLinear", "Conv", "DepthToSpace"}


class Branches(nn.Module):
    """What the chain of the realtime network has not: skips, PReLU, concatenation, sigmoid."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.slope = nn.PReLU(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.third = nn.Conv2d(16, 12, 3, padding=1)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        a = self.slope(self.first(x))
        b = F.relu(self.second(a)) + a
        return F.pixel_shuffle(torch.sigmoid(self.grouped(self.third(torch.cat((a, b), 1)))), 2)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photo_pieces(tmp_path_factory.mktemp("photos"), 8)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(tmp_path_factory.mktemp("net"))


def core(network: nn.Module) -> onnx.ModelProto:
    return apply_frame_contract(export_core(network.eval(), 20), 2)


def test_uint8_form_is_integers_from_end_to_end(
    tmp_path: Path, checkpoint: Path, photos: Path
) -> None:
    said: list[str] = []
    config = ExportConfig(
        precision="int8", calibration=photos, targets=("onnxruntime",), max_drop_db=1.0
    )
    exported = export_checkpoint(checkpoint, tmp_path / "m.onnx", config, said.append)
    assert exported.int8 is not None
    model = onnx.load(exported.path)
    assert {node.op_type for node in model.graph.node} == UINT8_OPERATORS
    assert exported.int8.form == "uint8"
    assert exported.int8.verdict.drop_db < 0.3
    made = exported.int8
    faster = (made.time_ratio < 1, made.int8_ms < made.fp32_ms)  # by pairs, and by medians
    word = {(True, True): "faster", (False, False): "NOT faster"}.get(faster, "about as fast")
    assert made.speed_line().startswith(f"int8 is {word}")
    assert hold_sums(model) == 0
    spec = read_spec(exported.path)
    assert (spec.precision, spec.halo, spec.scale) == ("int8", 3, 2)
    frame = reference_frames()[1][1][0]
    with Upscaler.load(exported.path, "onnx-cpu") as upscaler:
        assert upscaler.describe()["pixel_shuffle"] == "host"
        np.testing.assert_array_equal(upscaler(frame), onnx_frames(model)(frame[None])[0])


def test_tensorrt_form_has_int8_with_zero_point_0_and_uint8_at_the_ends_only(
    tmp_path: Path, checkpoint: Path, photos: Path
) -> None:
    config = ExportConfig(
        precision="int8", calibration=photos, quality_set=photos, size=(48, 64), max_drop_db=1.0
    )
    exported = export_checkpoint(checkpoint, tmp_path / "m.onnx", config)
    model = onnx.load(exported.path)
    constants = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            assert constants[node.input[2]].dtype == np.int8
            assert not constants[node.input[2]].any()
    assert [node.op_type for node in model.graph.node][-1] == "Cast"
    assert exported.int8 is not None
    assert exported.int8.verdict.quality_images == 8
    assert read_spec(exported.path).frame_shape == (None, 48, 64)
    frames = crop(reference_frames()[0][1][0][:48, :64])
    plain = onnx_frames(model)(frames)[0].astype(np.int16)
    with Upscaler.load(exported.path, "onnx-cpu") as upscaler:
        assert np.abs(upscaler(frames[0]) - plain).max() <= 1  # run in integers: roundings


def test_weights_that_were_equalised_are_in_the_model_once(tiny_models: ModuleType) -> None:
    """They bear the names of those that are dequantised; plain ONNX Runtime refused the model."""
    frames = np.random.default_rng(0).integers(0, 256, (1, 24, 24, 3), np.uint8)
    calibrated = calibrate(tiny_models.pixel_shuffle_model(), [frames])
    model = quantise(calibrated, 100.0, symmetric=True)
    assert onnx_frames(model)(frames).shape == (1, 96, 96, 3)


def test_the_carried_input_stays_exact(photos: Path) -> None:
    network = Realtime(CONFIG)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.startswith("head"):
                parameter.zero_()
    frames = [crop(frame) for frame in read_frames(photos, 16)]
    model = quantise(calibrate(core(network.deploy()), frames), 100, symmetric=False)
    for parity in Gate(network).measure(model):
        assert parity.max_difference == 0  # nearest neighbour: every code value as it was


@pytest.mark.parametrize("symmetric", [False, True])
def test_any_wiring_can_be_quantised(photos: Path, symmetric: bool) -> None:
    torch.manual_seed(0)
    network = Branches()
    frames = [crop(frame) for frame in read_frames(photos, 16)]
    model = quantise(calibrate(core(network), frames), 100, symmetric=symmetric)
    onnx.checker.check_model(model, full_check=True)
    for parity in Gate(network).measure(model)[:3]:
        assert parity.psnr_db is None or parity.psnr_db > 35


def test_equalising_changes_nothing_but_the_ranges(photos: Path) -> None:
    torch.manual_seed(0)
    network = Realtime(CONFIG)
    frames = [crop(frame) for frame in read_frames(photos, 16)]
    model, names = equalise(core(network.deploy()), frames)
    assert len(names) == CONFIG.layers
    assert RANGE == 255
    for parity in Gate(network).require(model):
        assert parity.max_difference <= 1


def test_rounding_together_beats_rounding_alone() -> None:
    rng = np.random.default_rng(0)
    conv = onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    smooth = cv2.blur(rng.random((64, 64, 4), np.float32), (9, 9))
    value = smooth.transpose(2, 0, 1)[None].astype(np.float32)
    weight = rng.normal(size=(8, 4, 3, 3)).astype(np.float32)
    statistics = Statistics(36)
    statistics.add(conv, (3, 3), value)
    codes, step, correction = quantise_weights(weight, statistics)
    plain = np.rint(weight / step[:, None, None, None])

    def error(chosen: NDArray[np.float64], mended: bool) -> float:
        left = (weight - chosen * step[:, None, None, None]).reshape(8, -1)
        offset = left @ statistics.mean
        spread = np.einsum("oi,ij,oj->o", left, statistics.covariance, left)
        return float((spread if mended else spread + offset**2).sum())

    assert codes.dtype == np.int8
    assert correction.shape == (8,)
    assert error(codes.astype(np.float64), True) < 0.5 * error(plain.astype(np.float64), False)


def test_colours_do_not_shift_where_the_frame_is_added() -> None:
    """One weight carries the frame and makes the step coarse: multiples of that step alone, for the
    sum of the weights, were up to 0.4 codes off in pictures that are brighter than most.
    """
    rng = np.random.default_rng(0)
    conv = onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, 0, 0, 0])
    weight = (rng.normal(size=(12, 8, 3, 3)) * 0.02).astype(np.float32)
    weight[:, 0, 1, 1] = rng.uniform(0.8, 1.0, 12)
    statistics = Statistics(72)
    for level in rng.uniform(0, 255, 24):  # of a picture as a whole
        texture = cv2.blur(rng.normal(size=(48, 48, 8)), (5, 5)).transpose(2, 0, 1)[None]
        active = np.maximum(30 * texture, 0)  # after ReLU
        active[:, 0] = np.clip(level + 60 * texture[:, 0], 0, 255)
        statistics.add(conv, (3, 3), active.astype(np.float32))
    codes, step, correction = quantise_weights(weight, statistics)
    shifts = (codes * step[:, None, None, None] - weight)[:, 0].sum((1, 2))
    at_mean = statistics.mean.reshape(8, 9)[0].mean()
    assert np.abs(shifts * (255 - at_mean)).max() < 0.2
    assert correction.shape == (12,)


def test_frames_of_one_colour_are_enough_to_round_weights() -> None:
    conv = onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[0, 0, 0, 0])
    weight = np.random.default_rng(0).normal(size=(8, 4, 3, 3)).astype(np.float32)
    for level in (0.0, 77.7, 255.0):
        statistics = Statistics(36)
        statistics.add(conv, (3, 3), np.full((1, 4, 32, 32), level, np.float32))
        codes, step, _ = quantise_weights(weight, statistics)
        assert np.abs(codes * step[:, None, None, None] - weight).max() <= step.max()


def test_no_two_neighbours_run_into_sums_of_16_bits() -> None:
    """Processors without VNNI add the products of two weights in 16 bits: the file is the same
    everywhere, and what coarser steps cost is made up for by the other weights."""
    rng = np.random.default_rng(0)
    conv = onnx.helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    statistics = Statistics(36)
    statistics.add(conv, (3, 3), rng.random((1, 4, 64, 64), np.float32))
    shape = (8, 4, 3, 3)
    for values in (np.ones(shape), rng.normal(size=shape), np.zeros(shape)):
        weight = values.astype(np.float32)
        codes, step, _ = quantise_weights(weight, statistics)
        assert (pair_shares(codes) == 1).all()
        again = codes * step[:, None, None, None]
        assert np.abs(again - weight).max() <= 0.1 * max(np.abs(weight).max(), 1e-9)


def test_a_drop_beyond_the_limit_writes_nothing(
    tmp_path: Path, checkpoint: Path, photos: Path
) -> None:
    config = ExportConfig(precision="int8", calibration=photos, max_drop_db=-60)
    with pytest.raises(
        ExportError, match=r"int8 loses .* dB on .* mean of 2\): .* nothing was written"
    ):
        export_checkpoint(checkpoint, tmp_path / "m.onnx", config)
    assert not list(tmp_path.iterdir())


def test_frames_are_spread_over_a_video(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (32, 32))
    for index in range(120):
        writer.write(np.full((32, 32, 3), 2 * index, np.uint8))
    writer.release()
    frames = read_frames(path, 16)
    assert MAX_FRAMES / 2 <= len(frames) <= MAX_FRAMES
    assert frames[0].mean() < 20
    assert frames[-1].mean() > 215


def test_images_that_are_left_out_are_said(tmp_path: Path) -> None:
    count = MAX_FRAMES + 12
    for index in range(count):
        side = 8 if index == 0 else 16
        cv2.imwrite(str(tmp_path / f"{index:02}.png"), np.full((side, 16, 3), index, np.uint8))
    said: list[str] = []
    frames = read_frames(tmp_path, 16, said.append)
    assert said == [
        f"{tmp_path}: {MAX_FRAMES} of its {count} images are used, spread evenly",
        f"{tmp_path}: 1 of {MAX_FRAMES} images are left out, smaller than 16 px",
    ]
    levels = [int(frame[0, 0, 0]) for frame in frames]
    assert len(levels) == MAX_FRAMES - 1
    assert levels[-1] >= count - 2
    for path in sorted(tmp_path.iterdir())[2:]:
        path.unlink()
    with pytest.raises(InputError, match=r"at least 2 images or frames of 16×16 .* found 1"):
        read_frames(tmp_path, 16)


def test_a_broken_or_transparent_image_does_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a.png", "b.png", "c.png"):
        cv2.imwrite(str(tmp_path / name), np.full((16, 16, 3), 99, np.uint8))
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:-20])
    rgba = np.full((16, 16, 4), 99, np.uint8)
    cv2.imwrite(str(tmp_path / "d.png"), rgba)
    (tmp_path / "e.gif").write_bytes(b"GIF89a")
    said: list[str] = []
    assert len(read_frames(tmp_path, 16, said.append)) == 2
    assert said == [
        f"{tmp_path}/e.gif: is left out, .gif images cannot be read; convert it to PNG",
        f"{tmp_path}/b.png: cannot be read as an image, or is damaged; it is left out",
        f"{tmp_path}/d.png: is left out, it has transparent pixels with hidden colours",
    ]


@pytest.mark.parametrize(
    ("fp32_ms", "int8_ms", "ratio", "words"),
    [
        (1260.0, 1321.0, 0.97, "int8 is about as fast as fp32: 1321.0 ms, fp32 1260.0 ms"),
        (100.0, 99.0, 1.01, "int8 is about as fast as fp32: 99.0 ms"),
        (100.0, 60.0, 0.6, "int8 is faster: 60.0 ms"),
        (100.0, 160.0, 1.6, "int8 is NOT faster: 160.0 ms"),
    ],
)
def test_speed_is_said_as_it_was_measured(
    fp32_ms: float, int8_ms: float, ratio: float, words: str
) -> None:
    verdict = Verdict(2, 30.0, 30.0, 0.0, "image 1 of 2", 3, "red 255", 45.0)
    measured = Quantised(onnx.ModelProto(), "uint8", "minmax", 2, verdict, fp32_ms, int8_ms, ratio)
    assert measured.speed_line().startswith(words)


def test_int8_needs_frames(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pass --calibration FOLDER or VIDEO"):
        ExportConfig(precision="int8")
    with pytest.raises(ConfigError, match="are for --precision int8"):
        ExportConfig(calibration=tmp_path)
    with pytest.raises(InputError, match="contains no images"):
        read_frames(tmp_path, 16)
    with pytest.raises(InputError, match="no such file or folder"):
        read_frames(tmp_path / "gone.mp4", 16)
    config = ExportConfig(precision="int8", calibration=tmp_path / "gone.mp4")
    with pytest.raises(InputError, match=r"gone\.mp4: no such file or folder"):
        export_checkpoint(tmp_path / "not-even-read.safetensors", tmp_path / "m.onnx", config)


def test_a_network_without_convolutions_is_refused(photos: Path) -> None:
    model = core(nn.Upsample(scale_factor=2))
    for node in model.graph.node:
        if node.op_type == "Conv":
            node.op_type = "ConvTranspose"
    with pytest.raises(ExportError, match="no plain convolution"):
        calibrate(model, [crop(frame) for frame in read_frames(photos, 16)])
