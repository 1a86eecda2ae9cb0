from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from framelift.runtime.backends.cpu.packed import pack_tail
from framelift.runtime.backends.cpu.reshuffle import Reshuffle
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import read_spec


def _upscale(path: Path, frames: NDArray[np.uint8], *, pack: bool) -> NDArray[np.uint8]:
    spec = read_spec(path)
    count, height, width, _ = frames.shape
    out = np.zeros((count, height * spec.scale, width * spec.scale, 3), np.uint8)
    session = OnnxCpuSession(spec, pack=pack)
    assert session.describe()["pixel_shuffle"] == ("host" if pack else "graph")
    session.run(frames, out)
    session.close()
    return out


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 8])
def test_packed_tail_gives_the_same_bytes(
    tmp_path: Path, tiny_models: ModuleType, scale: int, floor: bool
) -> None:
    model = tiny_models.pixel_shuffle_model(scale=scale, floor=floor)
    path = tiny_models.save(model, tmp_path / "m.onnx")
    for shape in ((2, 13, 21, 3), (1, 1, 1, 3), (1, 40, 9, 3)):
        frames = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
        assert np.array_equal(_upscale(path, frames, pack=True), _upscale(path, frames, pack=False))


def test_packed_model_is_valid_and_keeps_fixed_sizes(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(scale=2, frame_shape=(1, 8, "w"))
    assert pack_tail(model, 2)
    onnx.checker.check_model(model, full_check=True)
    dims = model.graph.output[0].type.tensor_type.shape.dim
    assert [dim.dim_value or dim.dim_param for dim in dims] == [1, 12, 8, "w"]


def test_other_tails_are_left_alone(tiny_models: ModuleType) -> None:
    other_order = tiny_models.pixel_shuffle_model(mode="DCR")
    used_twice = tiny_models.pixel_shuffle_model()
    shuffled = next(n for n in used_twice.graph.node if n.op_type == "DepthToSpace")
    used_twice.graph.node.append(onnx.helper.make_node("Identity", shuffled.output, ["again"]))
    no_clamp = tiny_models.pixel_shuffle_model()
    clip = next(node for node in no_clamp.graph.node if node.op_type == "Clip")
    clip.op_type = "Max"
    for model in (tiny_models.nearest_model(), other_order, used_twice, no_clamp):
        before = model.SerializeToString(deterministic=True)
        assert not pack_tail(model, 4)
        assert model.SerializeToString(deterministic=True) == before


def test_unpacked_models_run_as_they_are(nearest_model_path: Path, tiny_models: ModuleType) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (1, 5, 6, 3), dtype=np.uint8)
    out = np.empty((1, 20, 24, 3), np.uint8)
    session = OnnxCpuSession(read_spec(nearest_model_path))
    session.run(frames, out)
    assert session.describe()["pixel_shuffle"] == "graph"
    assert np.array_equal(out, tiny_models.nearest(frames, 4))


@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 8])
def test_reshuffle_matches_transpose(scale: int) -> None:
    reshuffle = Reshuffle(scale)
    for count, height, width in ((2, 5, 7), (1, 9, 11), (2, 3, 4), (2, 5, 7)):
        packed = reshuffle.packed(count, height, width)
        packed[...] = np.random.default_rng(3).integers(0, 256, packed.shape)
        out = np.empty((count, height * scale, width * scale, 3), np.uint8)
        reshuffle.into(out)
        cells = packed.reshape(count, 3, scale, scale, height, width)
        assert np.array_equal(out, cells.transpose(0, 4, 2, 5, 3, 1).reshape(out.shape))
