"""How far a file looks, and which sizes it takes, are measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper

from framelift.importer import ImportOptions
from framelift.runtime.models.file import WHOLE_FRAME, read_spec

from ..support.foreign_models import Net, build, conv, save
from ..support.importing import by_file, imported, photo, upscaled


def pooled() -> onnx.ModelProto:
    """Adds the mean of the whole frame to every pixel."""
    model = Net(order="rgb").model()
    model.graph.node[-1].output[0] = "picture"
    for node in (
        helper.make_node("GlobalAveragePool", ["picture"], ["mean"]),
        helper.make_node("Mul", ["mean", "share"], ["some"]),
        helper.make_node("Add", ["picture", "some"], ["output"]),
    ):
        model.graph.node.append(node)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(0.1, np.float32), "share"))
    return model


def unshuffled() -> onnx.ModelProto:
    """Works on squares of 2×2 pixels, so takes even sides alone."""
    kernel = np.zeros((12, 12, 3, 3), np.float32)
    kernel[range(12), range(12), 1, 1] = 0.9
    kernel[range(12), range(12), 0, 1] = 0.1
    weights = {
        "w": kernel,
        "repeat": np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)[:, :, None, None],
    }
    nodes = [
        helper.make_node("SpaceToDepth", ["input"], ["squares"], blocksize=2),
        conv("squares", "seen", "w", "", 3),
        helper.make_node("DepthToSpace", ["seen"], ["small"], blocksize=2, mode="DCR"),
        conv("small", "phases", "repeat", "", 1),
        helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
    ]
    return build(nodes, weights, ["n", 3, "h", "w"])


def valid_only() -> onnx.ModelProto:
    """Reflects its borders, so needs sides above 4."""
    kernel = np.zeros((3, 3, 9, 9), np.float32)
    kernel[range(3), range(3), 4, 4], kernel[range(3), range(3), 0, 8] = 0.9, 0.1
    weights: dict[str, NDArray[Any]] = {
        "w": kernel,
        "border": np.array([0, 0, 4, 4, 0, 0, 4, 4], np.int64),
        "repeat": np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)[:, :, None, None],
    }
    nodes = [
        helper.make_node("Pad", ["input", "border"], ["padded"], mode="reflect"),
        helper.make_node("Conv", ["padded", "w"], ["seen"], kernel_shape=[9, 9]),
        conv("seen", "phases", "repeat", "", 1),
        helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
    ]
    return build(nodes, weights, ["n", 3, "h", "w"])


@pytest.mark.parametrize(
    ("make", "halo", "multiple", "minimum"),
    [(pooled, WHOLE_FRAME, 1, 1), (unshuffled, 3, 2, 2), (valid_only, 4, 1, 5)],
)
def test_reach_and_sizes_are_measured(
    tmp_path: Path, make: Callable[[], onnx.ModelProto], halo: int, multiple: int, minimum: int
) -> None:
    path = save(make(), tmp_path / "m.onnx")
    found, notes = imported(path, ImportOptions(order="rgb"))
    spec = read_spec(found.path)
    assert (spec.halo, spec.size_multiple, spec.minimum_side) == (halo, multiple, minimum)
    assert any("never run in tiles" in note for note in notes) is (halo == WHOLE_FRAME)
    assert upscaled(found.path, photo(3, 77)).shape == (6, 154, 3)


@pytest.mark.parametrize("size", [(60, 81), (40, 64), (33, 120)])
def test_a_fixed_size_is_run_in_tiles_that_give_the_whole(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    fixed = Net(order="rgb", dims=(1, 40, 64)).save(tmp_path / "fixed.onnx")
    free = Net(order="rgb").save(tmp_path / "free.onnx")
    found, _ = imported(fixed)
    spec = read_spec(found.path)
    assert (spec.frame_shape, spec.halo, spec.size_multiple) == ((1, 40, 64), 2, 1)
    frame = photo(*size)
    filled = np.pad(frame, ((0, max(0, 40 - size[0])), (0, 0), (0, 0)), mode="edge")
    wanted = by_file(free, filled, "rgb", 0, 1)[: 2 * size[0]]
    assert np.abs(upscaled(found.path, frame) - wanted).max() <= 0.51


@pytest.mark.parametrize("dims", [("n", "h", "w"), (1, 48, 56)])
def test_borders_that_a_file_cuts_off_are_put_around_frames(
    tmp_path: Path, dims: tuple[int | str, ...]
) -> None:
    """As waifu2x does: convolutions without padding make the picture smaller than a multiple."""
    model = Net(order="rgb", dims=dims).model()
    nodes = {node.output[0]: node for node in model.graph.node}
    for name in ("features", "residual"):
        pads = next(item for item in nodes[name].attribute if item.name == "pads")
        pads.ints[:] = [0, 0, 0, 0]
    nodes["base"].input[0] = "cut"
    cut = helper.make_node("Slice", ["x", "two", "minus_two", "sides"], ["cut"])
    model.graph.node.insert(
        next(k for k, n in enumerate(model.graph.node) if "x" in n.output) + 1, cut
    )
    for key, numbers in {"two": [2, 2], "minus_two": [-2, -2], "sides": [2, 3]}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(numbers), key))
    path = save(model, tmp_path / "m.onnx")
    found, _ = imported(path)
    spec = read_spec(found.path)
    assert (spec.scale, spec.halo) == (2, 2)
    assert spec.frame_shape[1:] == ((44, 52) if 48 in dims else (None, None))
    frame = photo(44, 52)
    wanted = by_file(path, np.pad(frame, ((2, 2), (2, 2), (0, 0)), mode="edge"), "rgb", 0, 1)
    assert np.abs(upscaled(found.path, frame) - wanted).max() <= 0.51
    assert upscaled(found.path, photo(70, 61)).shape == (140, 122, 3)


def test_a_fixed_size_that_the_interface_hides_is_found(tmp_path: Path) -> None:
    model = Net(order="rgb").model()
    model.graph.node[0].input[0] = "reshaped"
    model.graph.node.insert(0, helper.make_node("Reshape", ["input", "shape"], ["reshaped"]))
    shape = onnx.numpy_helper.from_array(np.array([1, 3, 96, 96]), "shape")
    model.graph.initializer.append(shape)
    found, _ = imported(save(model, tmp_path / "m.onnx"))
    assert read_spec(found.path).frame_shape == (1, 96, 96)
    assert upscaled(found.path, photo(100, 100)).shape == (200, 200, 3)


Change = Callable[[onnx.ModelProto], onnx.ModelProto | None]
