"""A float model takes frames of 16 bits as well: its ends change, its network does not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from framelift.common.errors import ConfigError, FrameError, ModelError
from framelift.runtime import Upscaler
from framelift.runtime.models.byte_form import in_bytes
from framelift.runtime.models.depth import at_bits, depth_problem
from framelift.runtime.models.digest import seal
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.models.zoo import resolve
from framelift.runtime.session.deep import ByteSession

Frames = NDArray[Any]


def _deep_noise(*shape: int) -> Frames:
    return np.random.default_rng(0).integers(0, 65536, shape).astype(np.uint16)


def _float_network(model: onnx.ModelProto, frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a model gives for frames of 0–255 before it rounds, by a judge of its own: the graph
    with float ends, run by ONNX Runtime.
    """
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    bare.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    bare.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    cast = next(node for node in bare.graph.node if "upscaled" in node.output)
    cast.attribute[0].i = TensorProto.FLOAT
    for node in bare.graph.node:
        if node.op_type in ("Clip", "Floor"):
            node.op_type = "Identity"
            del node.input[1:]
    session = onnxruntime.InferenceSession(
        bare.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"frames": frames})
    return np.asarray(result, np.float32) - np.float32(0.5)


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("size", [(40, 56), (7, 5), (1, 1)])
def test_16_bits_are_the_float_network_s(
    tmp_path: Path, tiny_models: ModuleType, floor: bool, size: tuple[int, int]
) -> None:
    model = tiny_models.pixel_shuffle_model(floor=floor)
    path = tiny_models.save(model, tmp_path / "tiny.onnx")
    frames = _deep_noise(2, *size, 3)
    expected = _float_network(model, frames.astype(np.float32) / np.float32(257))
    with Upscaler.load(path, "onnx-cpu") as upscale:
        got = upscale(frames)
    assert got.dtype == np.uint16
    difference = np.abs(got - expected.clip(0, 255).astype(np.float64) * 257)
    assert difference.max() < 2
    assert len(np.unique(got)) > min(256, got.size // 2)


def test_both_depths_agree_within_one_code_of_8_bits(shuffle_model_path: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscale:
        plain, deep = upscale(frame), upscale(frame.astype(np.uint16) * 257)
        again = upscale(frame)
    assert np.abs(deep / 257 - plain).max() <= 0.51
    assert np.array_equal(plain, again)


@pytest.mark.parametrize("name", ["realtime-nano-x4-video", "realtime-nano-x2-perceptual"])
def test_shipped_models_keep_levels_of_a_gradient(name: str) -> None:
    ramp = np.linspace(0, 65535, 65536).astype(np.uint16).reshape(1, 65536).repeat(6, 0)
    frame = np.dstack([ramp] * 3)[:, 20000:22000]
    with Upscaler.load(name, "onnx-cpu") as upscale:
        big = upscale(frame)
    middle = big[3 * upscale.scale, 100:-100, 1].astype(np.int64)
    assert len(np.unique(middle)) > 1500
    assert np.abs(middle - np.linspace(middle[0], middle[-1], len(middle))).max() < 257


def test_tiled_equals_whole(shuffle_model_path: Path) -> None:
    frame = _deep_noise(60, 70, 3)
    with (
        Upscaler.load(shuffle_model_path, "onnx-cpu") as whole,
        Upscaler.load(shuffle_model_path, "onnx-cpu", tile=24) as tiled,
    ):
        difference = np.abs(whole(frame).astype(np.int64) - tiled(frame))
    assert difference.max() <= 1


def test_grey_stays_grey(shuffle_model_path: Path) -> None:
    frame = np.repeat(_deep_noise(20, 30, 1), 3, 2)
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscale:
        big = upscale(frame)
    assert (big == big[..., :1]).all()


def test_models_of_several_frames(tmp_path: Path, tiny_models: ModuleType) -> None:
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    frames = (
        np.full((7, 6, 8, 3), 1000, np.uint16) + np.arange(7, dtype=np.uint16)[:, None, None, None]
    )
    with Upscaler.load(path, "onnx-cpu") as upscale:
        big = upscale(frames)
    assert big.shape == (7, 12, 16, 3)
    assert big[3, 0, 0].tolist() == [1003] * 3


def test_int8_is_refused_with_what_to_do() -> None:
    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu") as upscale:
        with pytest.raises(FrameError, match="the frame is uint16: realtime-nano-x4-int8 is int8"):
            upscale(_deep_noise(8, 8, 3))
        with pytest.raises(ConfigError, match="use the same network without int8"):
            upscale.at_depth(16)


def test_the_float_model_is_taken_for_deep_frames_with_one_line() -> None:
    lines: list[str] = []
    frame = _deep_noise(16, 16, 3)
    with (
        Upscaler.load(
            "realtime-nano-x4", "onnx-cpu", cpu_model="realtime-nano-x4-int8", say=lines.append
        ) as upscale,
        Upscaler.load("realtime-nano-x4", "onnx-cpu") as other,
    ):
        assert upscale.spec.precision == "int8"
        got = [upscale(frame), upscale(frame)]
        expected = other(frame)
        assert upscale.at_depth(16).describe()["depth"] == 16
    assert all(np.array_equal(one, expected) for one in got)
    assert lines == [
        "realtime-nano-x4-int8 is int8, which has 8 bits: frames of more are upscaled with "
        "realtime-nano-x4 (fp16)"
    ]


def test_a_graph_without_the_usual_end_is_refused(nearest_model_path: Path) -> None:
    problem = depth_problem(read_spec(nearest_model_path), 16)
    assert problem == "tiny-nearest takes 8 bits only: its graph does not end as exported ones do"
    with pytest.raises(ModelError, match="tiny-nearest takes 8 bits only"):
        at_bits(read_spec(nearest_model_path), 16)


class _Bytes:
    """What a GPU's backend sees: a model of bytes, run by plain ONNX Runtime."""

    name = provider = device = "bytes"

    def __init__(self, spec: ModelSpec) -> None:
        self._session = onnxruntime.InferenceSession(spec.data, providers=["CPUExecutionProvider"])

    def run(self, frames: Frames, out: Frames) -> None:
        (out[...],) = self._session.run(None, {"frames": frames})

    def describe(self) -> dict[str, str | int]:
        return {}

    def close(self) -> None:
        pass


@pytest.mark.parametrize("name", ["tiny", "realtime-nano-x4"])
def test_the_form_in_bytes_gives_the_same(shuffle_model_path: Path, name: str) -> None:
    path = shuffle_model_path if name == "tiny" else resolve(name)
    spec = at_bits(read_spec(path), 16)
    frames = _deep_noise(1, 12, 17, 3)
    got = np.empty((1, 48, 68, 3), np.uint16)
    ByteSession(_Bytes(in_bytes(spec))).run(frames, got)
    with Upscaler.load(path, "onnx-cpu") as upscale:
        expected = upscale(frames)
    tolerance = 1 if name == "tiny" else 257  # half precision inside, float32 on the processor
    assert np.abs(got.astype(np.int64) - expected).max() <= tolerance


def test_a_file_of_16_bits(
    tmp_path: Path, shuffle_model_path: Path, tiny_models: ModuleType
) -> None:
    spec = at_bits(read_spec(shuffle_model_path), 16)
    model = tiny_models.set_metadata(spec.model(), depth="16")
    seal(model)
    path = tiny_models.save(model, tmp_path / "deep.onnx")
    frame = _deep_noise(9, 11, 3)
    with (
        Upscaler.load(path, "onnx-cpu") as upscale,
        Upscaler.load(shuffle_model_path, "onnx-cpu") as other,
    ):
        assert upscale.spec.depth == upscale.depth == 16
        assert np.array_equal(upscale(frame), other(frame))
        small = (frame >> 8).astype(np.uint8)
        difference = np.abs(upscale(small).astype(int) - other(small))
        assert difference.max() <= 1
        assert np.mean(difference > 0) < 0.001
        assert upscale.at_depth(8).describe().get("depth") is None
        with pytest.raises(FrameError, match="the frame is uint8, expected uint16"):
            other.at_depth(16)(small)
        with pytest.raises(FrameError, match="the frame is float32, expected uint16"):
            upscale(frame.astype(np.float32))
    tiny_models.save(tiny_models.set_metadata(model, depth="8", graph_sha256=None), path)
    with pytest.raises(ModelError, match="input `frames` is uint16; expected one input"):
        read_spec(path)
    tiny_models.save(tiny_models.set_metadata(model, depth="12"), path)
    with pytest.raises(ModelError):
        read_spec(path)


def test_unknown_nodes_at_the_ends_keep_their_meaning(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    """What is no convolution cannot take the factor into its weights."""
    model = tiny_models.pixel_shuffle_model()
    graph = model.graph
    clip = next(node for node in graph.node if node.op_type == "Clip")
    at = list(graph.node).index(clip)
    graph.node.insert(at, helper.make_node("Tanh", ["sum"], ["bent"]))
    graph.node.insert(at + 1, helper.make_node("Mul", ["bent", "high"], ["stretched"]))
    clip.input[0] = "stretched"
    path = tiny_models.save(model, tmp_path / "bent.onnx")
    frames = _deep_noise(1, 8, 8, 3)
    expected = _float_network(model, frames.astype(np.float32) / np.float32(257))
    with Upscaler.load(path, "onnx-cpu") as upscale:
        got = upscale(frames)
    wanted = (expected.astype(np.float64) * 257).clip(0, 65535)
    assert np.abs(got - wanted).max() < 2
