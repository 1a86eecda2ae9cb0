"""The tail of int8 models whose channels lie as the pixels of the result do."""

from __future__ import annotations

import numpy as np
import pytest

from framelift.runtime.backends.cpu import interleaved
from framelift.runtime.backends.cpu.interleaved import Interleaved, PixelRows, interleave_tail
from framelift.runtime.backends.cpu.packed import PACKED, pack_tail
from framelift.runtime.backends.cpu.saturation import prepare_int8
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import read_spec
from framelift.runtime.models.zoo import resolve


@pytest.mark.parametrize("model", ["realtime-nano-x4-int8", "realtime-nano-x2-int8"])
def test_frames_are_those_of_the_graphs_own_shuffle(model: str) -> None:
    spec = read_spec(resolve(model))
    rng = np.random.default_rng(0)
    plain, packed = OnnxCpuSession(spec, 1, pack=False), OnnxCpuSession(spec, 1)
    assert isinstance(packed._reshuffle, Interleaved)
    for shape in ((1, 37, 53), (2, 16, 9), (1, 1, 1), (3, 40, 8)):
        count, height, width = shape
        frames = rng.integers(0, 256, (*shape, 3), np.uint8)
        big = count, height * spec.scale, width * spec.scale, 3
        expected, got = np.empty(big, np.uint8), np.empty(big, np.uint8)
        plain.run(frames, expected)
        packed.run(frames, got)
        assert np.array_equal(got, expected)
    plain.close()
    packed.close()


def test_float_models_are_left_alone() -> None:
    spec = read_spec(resolve("realtime-nano-x4"))
    model = spec.model()
    assert pack_tail(model, spec.scale)
    before = model.SerializeToString()
    assert interleave_tail(model, spec.scale) == 0
    assert model.SerializeToString() == before


@pytest.mark.parametrize(("vnni", "expected"), [(False, 12), (True, 16)])
def test_the_output_says_its_shape(
    monkeypatch: pytest.MonkeyPatch, vnni: bool, expected: int
) -> None:
    monkeypatch.setattr(interleaved, "has_vnni", lambda: vnni)
    spec = read_spec(resolve("realtime-nano-x2-int8"))
    model = spec.model()
    prepare_int8(model)
    assert pack_tail(model, spec.scale)
    (packed,) = model.graph.output
    before = [str(dim) for dim in packed.type.tensor_type.shape.dim]
    assert interleave_tail(model, spec.scale) == expected
    (after,) = model.graph.output
    count, height, width, channels = after.type.tensor_type.shape.dim
    assert after.name == PACKED
    assert channels.dim_value == expected
    assert [str(count), str(height), str(width)] == [before[0], *before[2:]]


@pytest.mark.parametrize("more", [0, 4, 8])
@pytest.mark.parametrize("scale", [1, 2, 3, 4, 5, 8])
def test_pixels_of_every_scale(scale: int, more: int) -> None:
    rng = np.random.default_rng(scale)
    pixels = rng.integers(0, 256, (5, 7, scale, scale, 3), np.uint8)
    out = np.empty((5 * scale, 7 * scale, 3), np.uint8)
    wide = np.pad(pixels.reshape(5, 7, -1), ((0, 0), (0, 0), (0, more)), constant_values=9)
    PixelRows(scale, wide.shape[2]).copy(wide, out)
    assert np.array_equal(out, pixels.transpose(0, 2, 1, 3, 4).reshape(out.shape))
