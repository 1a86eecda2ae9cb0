"""The float form computes what the framelift model computes."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest

from framelift.benchmarks.shared.float_network import float_network
from framelift.benchmarks.shared.float_session import FloatSession
from framelift.benchmarks.shared.frames import agreement, finish, prepare
from framelift.benchmarks.shared.graph_cost import count
from framelift.common.errors import ModelError
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu.saturation import adds_in_16_bits
from framelift.runtime.backends.cpu.widen import widen
from framelift.runtime.models.depth import at_bits
from framelift.runtime.models.file import load, read_spec
from framelift.runtime.models.zoo import resolve, shipped_models


@pytest.mark.parametrize("arguments", [{}, {"floor": True}, {"mode": "DCR"}, {"scale": 2}])
def test_gives_the_upscalers_image(
    tiny_models: ModuleType, tmp_path: Path, arguments: dict[str, int]
) -> None:
    model = tiny_models.pixel_shuffle_model(**arguments)
    path = tiny_models.save(model, tmp_path / "model.onnx")
    frame = np.random.default_rng(1).integers(0, 256, (17, 23, 3), np.uint8)
    with Upscaler.load(path, backend="onnx-cpu") as upscaler:
        plain = FloatSession.of(upscaler)
        same = agreement(upscaler(frame), finish(plain.run(prepare(frame))))
        assert same.max_abs <= 1
        assert same.share_within_1 == 1
        scale = upscaler.scale
        call = plain.bind(prepare(frame), (1, 3, 17 * scale, 23 * scale))
        np.testing.assert_array_equal(call(), plain.run(prepare(frame)))


@pytest.mark.parametrize(
    "name", [n for n in shipped_models() if read_spec(resolve(n)).task == "super-resolution"]
)
def test_every_shipped_model_has_one(name: str) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (18, 24, 3), np.uint8)
    with Upscaler.load(resolve(name), backend="onnx-cpu") as upscaler:
        same = agreement(upscaler(frame), finish(FloatSession.of(upscaler).run(prepare(frame))))
    if upscaler.spec.precision == "int8" and adds_in_16_bits():
        assert same.psnr_db is not None
        assert same.psnr_db > 40
    else:
        assert same.max_abs <= 1


def test_that_of_a_model_for_16_bits_is_the_same(tiny_models: ModuleType, tmp_path: Path) -> None:
    spec = read_spec(tiny_models.save(tiny_models.pixel_shuffle_model(), tmp_path / "model.onnx"))
    frame = prepare(np.random.default_rng(1).integers(0, 256, (17, 23, 3), np.uint8))
    networks = [float_network(one.model(), one.name) for one in (spec, at_bits(spec, 16))]
    plain, other = (FloatSession(one.SerializeToString()).run(frame) for one in networks)
    np.testing.assert_allclose(plain, other, rtol=0, atol=1e-5)


def test_half_precision_between_ends_of_16_bits_is_refused() -> None:
    deep = at_bits(read_spec(resolve("realtime-nano-x2")), 16)
    with pytest.raises(ModelError, match="its float form cannot be derived"):
        float_network(deep.model(), deep.name)


def test_ends_in_the_pixel_shuffle_and_leaves_the_original(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(floor=True)
    before = model.SerializeToString()
    plain = float_network(model, "tiny")
    assert model.SerializeToString() == before
    kinds = [node.op_type for node in plain.graph.node]
    assert kinds[-1] == "DepthToSpace"
    assert not {"Cast", "Transpose", "Clip", "Floor"} & set(kinds)
    assert plain.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_networks_without_convolutions_at_the_ends_are_refused(tiny_models: ModuleType) -> None:
    with pytest.raises(ModelError, match="tiny-nearest: its float form cannot be derived"):
        float_network(tiny_models.nearest_model(), "tiny-nearest")


def test_networks_without_the_conversions_are_refused(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model()
    model.graph.node[0].attribute[0].i = onnx.TensorProto.DOUBLE
    with pytest.raises(ModelError, match="cast to float32"):
        float_network(model, "double")


@pytest.mark.parametrize("symmetric", [True, False])
def test_int8_models_keep_their_pairs(
    tiny_models: ModuleType, tmp_path: Path, symmetric: bool
) -> None:
    calibration = pytest.importorskip("framelift.export.int8.calibration")
    quantisation = pytest.importorskip("framelift.export.int8.quantisation")
    rng = np.random.default_rng(1)
    frame = rng.integers(0, 256, (17, 23, 3), np.uint8)
    _, source = load(resolve("realtime-nano-x4"))
    widen(source.graph)
    calibrated = calibration.calibrate(source, [frame[None]])
    quantised = quantisation.quantise(calibrated, 100.0, symmetric=symmetric)
    tiny_models.set_metadata(quantised, precision="int8", graph_sha256=None)
    path = tiny_models.save(quantised, tmp_path / "int8.onnx")
    plain = float_network(quantised, "int8")
    kinds = [node.op_type for node in plain.graph.node]
    ends = [kinds[0], kinds[-1]]
    assert ends == (
        ["Conv", "DepthToSpace"] if symmetric else ["QuantizeLinear", "DequantizeLinear"]
    )
    with Upscaler.load(path, backend="onnx-cpu") as upscaler:
        images = FloatSession.of(upscaler).run(prepare(frame))
        same = agreement(upscaler(frame), finish(images))
    if adds_in_16_bits():  # single sums may still be cut off, and not alike in the two forms
        assert same.psnr_db is not None
        assert same.psnr_db > 40
    else:
        assert same.max_abs <= 1
    # Macs are those of fp32; the pairs and what lies between them cost nothing.
    costs = [count(model, 1, 16, 16) for model in (source, quantised)]
    assert costs[0].macs == costs[1].macs
    assert costs[1].layer_bytes < costs[0].layer_bytes / 1.5


def test_a_model_of_several_frames_has_no_network_to_compare(tiny_models: ModuleType) -> None:
    with pytest.raises(ModelError, match="window takes 5 frames for each one that it returns"):
        float_network(tiny_models.window_model(), "window")
