"""`framelift.importer`: anyone's ONNX file becomes a model that gives the same pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper

from framelift.common.errors import ConfigError, ForeignModelError, ModelError, OutputError
from framelift.export.parity.comparison import REFERENCE
from framelift.export.source.load import load_source
from framelift.export.torch_export import export_core
from framelift.importer import Imported, ImportOptions, import_model
from framelift.runtime import Upscaler
from framelift.runtime.models.file import WHOLE_FRAME, read_spec

from ..support.foreign_models import Net, build, conv, in_range, save

Frames = NDArray[np.uint8]
ROOT = Path(__file__).resolve().parents[2]


def photo(height: int = 60, width: int = 81) -> Frames:
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    return image[:height, :width].astype(np.uint8)


def by_file(path: Path, frame: Frames, order: str, black: float, white: float) -> NDArray[Any]:
    """What the file makes of a frame, by plain ONNX Runtime: BGR in code values."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    pixels = frame[..., ::-1] if order == "rgb" else frame
    values = (pixels.transpose(2, 0, 1)[None] / 255 * (white - black) + black).astype(np.float32)
    if session.get_inputs()[0].type == "tensor(float16)":
        values = values.astype(np.float16)
    (output,) = session.run(None, {session.get_inputs()[0].name: values})
    picture = (output[0].astype(np.float64) - black) / (white - black) * 255
    picture = picture[::-1] if order == "rgb" else picture
    picture = picture.transpose(1, 2, 0).clip(0, 255)
    return np.asarray(picture, np.float64)


def upscaled(path: Path, frame: Frames) -> NDArray[np.float64]:
    with Upscaler.load(path, "onnx-cpu") as upscaler:
        return upscaler(frame).astype(np.float64)


def imported(path: Path, options: ImportOptions | None = None) -> tuple[Imported, list[str]]:
    notes: list[str] = []
    return import_model(path, path.with_name("out.onnx"), options, notes.append), notes


@pytest.mark.parametrize(
    ("last", "order", "black", "white", "name"),
    [
        ("shuffle", "rgb", 0, 1, "0..1"),
        ("clip", "bgr", 0, 1, "0..1"),
        ("shuffle", "bgr", 0, 255, "0..255"),
        ("clip", "rgb", 0, 255, "0..255"),
        ("shuffle", "bgr", -1, 1, "-1..1"),
        ("clip", "rgb", -1, 1, "-1..1"),
    ],
)
def test_range_and_order_are_found_and_the_picture_is_that_of_the_file(
    tmp_path: Path, last: str, order: str, black: float, white: float, name: str
) -> None:
    path = Net(black=black, white=white, order=order, last=last).save(tmp_path / "m.onnx")
    found, notes = imported(path)
    assert (found.scale, found.convention.order, found.halo, found.size_multiple) == (
        2,
        order,
        2,
        1,
    )
    assert found.convention.given.name == found.convention.taken.name == name
    assert found.summary() == f"×2, {order.upper()}, {name}, halo 2 px"
    assert not notes
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, order, black, white)
    assert np.abs(difference).max() <= 0.51
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx", "out.onnx"]


def test_the_spec_says_what_it_is(tmp_path: Path) -> None:
    path = Net(scale=3, order="bgr", half=True).save(tmp_path / "4x_Thing.onnx")
    found, _ = imported(path, ImportOptions(licence="CC0-1.0"))
    spec = read_spec(found.path)
    assert (spec.name, spec.task, spec.scale) == ("4x_Thing", "super-resolution", 3)
    assert (spec.precision, spec.licence, spec.opset) == ("fp16", "CC0-1.0", 17)
    assert json.loads(spec.metadata["half_precision"])["peak"] < 65504
    assert spec.network["read_as"] == found.summary()
    assert spec.frame_shape == (None, None, None)
    assert len(spec.parity) >= 3


def test_half_precision_keeps_code_values_exact_at_its_ends(tmp_path: Path) -> None:
    path = Net(order="bgr", black=0, white=255, half=True).save(tmp_path / "m.onnx")
    found, _ = imported(path)
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, "bgr", 0, 255)
    assert np.sqrt(np.mean(difference**2)) < 0.5


def test_a_file_that_leaves_half_precision_is_said_to(tmp_path: Path) -> None:
    """Its processor computes it in float32, where it is right; a GPU would show something else."""
    model = Net(order="rgb", black=0, white=255, half=True).model()
    for node in model.graph.node:
        node.input[:] = ["huge" if name == "x" else name for name in node.input]
    for name, factor in (("up", 900.0), ("down", 1 / 900)):
        value = onnx.numpy_helper.from_array(np.array(factor, np.float16), name)
        model.graph.initializer.append(value)
    place = next(k for k, node in enumerate(model.graph.node) if "x" in node.output) + 1
    model.graph.node.insert(place, helper.make_node("Mul", ["x", "up"], ["raised"]))
    model.graph.node.insert(place + 1, helper.make_node("Mul", ["raised", "down"], ["huge"]))
    found, notes = imported(save(model, tmp_path / "m.onnx"))
    assert any(
        "in half precision" in note and "CPUs compute it in float32" in note for note in notes
    )
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(
        found.path.with_name("m.onnx"), frame, "rgb", 0, 255
    )
    assert np.sqrt(np.mean(difference**2)) < 0.5


def test_an_order_that_cannot_be_told_is_rgb_and_said_so(tmp_path: Path) -> None:
    path = Net().save(tmp_path / "m.onnx")
    found, notes = imported(path)
    assert "RGB (assumed)" in found.summary()
    (note,) = notes
    assert note.startswith("m.onnx: the order of its channels cannot be found by trying")
    assert "--channels bgr" in note
    given, notes = imported(path, ImportOptions(order="bgr", overwrite=True))
    assert not notes
    assert "BGR," in given.summary()
    frame = photo()
    difference = upscaled(given.path, frame) - by_file(path, frame, "bgr", 0, 1)
    assert np.abs(difference).max() <= 0.51


def test_a_range_that_makes_no_difference_is_said(tmp_path: Path) -> None:
    model = build(
        [
            conv("input", "phases", "repeat", "", 1),
            helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
        ],
        {"repeat": np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)[:, :, None, None]},
        ["n", 3, "h", "w"],
    )
    found, notes = imported(save(model, tmp_path / "m.onnx"))
    assert notes[0] == "m.onnx: other ranges of its pixels give the same picture"
    frame = photo()
    np.testing.assert_array_equal(upscaled(found.path, frame), frame.repeat(2, 0).repeat(2, 1))


def test_noise_for_a_picture_asks_for_the_range(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [
        conv("input", "phases", "w", "", 3),
        helper.make_node("DepthToSpace", ["phases"], ["output"], blocksize=2, mode="CRD"),
    ]
    weights = {"w": rng.normal(0, 0.1, (12, 3, 3, 3)).astype(np.float32)}
    path = save(build(nodes, weights, ["n", 3, "h", "w"]), tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"cannot be found by trying .* with --range 0\.\.1 or"):
        imported(path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    found, _ = imported(path, ImportOptions(span="-1..1", order="rgb"))
    frame = photo()
    difference = upscaled(found.path, frame) - by_file(path, frame, "rgb", -1, 1)
    assert np.abs(difference).max() <= 0.51


def test_trained_networks_are_read_as_they_were_trained(tmp_path: Path) -> None:
    # By a wrong range, this one gives a picture that is nearer to a bicubic one than its own.
    core = export_core(
        load_source(ROOT / "models/realtime-small-x2-video.safetensors").deployed, 20
    )
    for span, (black, white) in {"0..1": (0, 1), "0..255": (0, 255), "-1..1": (-1, 1)}.items():
        path = save(in_range(core, black, white), tmp_path / "m.onnx")
        found, notes = imported(path, ImportOptions(overwrite=True))
        assert (found.convention.given.name, found.convention.taken.name) == (span, span)
    assert "read as 0..1 it gives nearly as good a picture" in notes[0]


def test_models_with_lists_of_tensors_run(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["input"], ["parts"], axis=1),
        helper.make_node("ConcatFromSequence", ["parts"], ["output"], axis=1),
    ]
    path = save(build(nodes, {}, ["n", 3, "h", "w"]), tmp_path / "m.onnx")
    found, _ = imported(path)
    frame = photo()
    np.testing.assert_array_equal(upscaled(found.path, frame), frame)


def test_grey_networks_get_luma_and_colours_are_kept(tmp_path: Path) -> None:
    path = Net(channels=1, scale=3).save(tmp_path / "m.onnx")
    found, notes = imported(path)
    assert found.summary() == "×3, grey (luma), 0..1, halo 2 px"
    assert not notes
    frame = photo()
    luma = frame @ np.array([0.114, 0.587, 0.299])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"input": (luma / 255)[None, None].astype(np.float32)})
    got = upscaled(found.path, frame)
    inside = ((got > 0) & (got < 255)).all(axis=2)  # colours that could not be shown are clamped
    difference = got @ np.array([0.114, 0.587, 0.299]) - wanted[0, 0] * 255
    assert np.abs(difference[inside]).max() < 1
    assert inside.mean() > 0.9
    chroma = cv2.resize(
        frame.astype(np.float32) - luma[..., None], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC
    )
    own = got - (got @ np.array([0.114, 0.587, 0.299]))[..., None]
    assert np.abs(own - chroma)[inside].mean() < 1


def test_alpha_is_given_opaque_and_left_out(tmp_path: Path) -> None:
    path = Net(channels=4).save(tmp_path / "m.onnx")
    found, _ = imported(path)
    assert "RGB (assumed) and alpha" in found.summary()
    frame = photo()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rgba = np.dstack([frame[..., ::-1], np.full(frame.shape[:2], 255)]).transpose(2, 0, 1)[None]
    (output,) = session.run(None, {"input": (rgba / 255).astype(np.float32)})
    wanted = output[0, 2::-1].transpose(1, 2, 0).clip(0, 1) * 255
    assert np.abs(upscaled(found.path, frame) - wanted).max() <= 0.51


def test_weights_in_another_file_come_into_one(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    onnx.save_model(
        Net(order="rgb").model(),
        path,
        save_as_external_data=True,
        location="m.data",
        size_threshold=0,
    )
    found, _ = imported(path)
    frame = photo()
    assert np.abs(upscaled(found.path, frame) - by_file(path, frame, "rgb", 0, 1)).max() <= 0.51
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"keeps weights in another file that cannot be read"):
        import_model(path, tmp_path / "again.onnx")
    assert upscaled(found.path, frame).shape == (120, 162, 3)


def test_old_opsets_are_raised(tmp_path: Path) -> None:
    nodes = [
        conv("input", "y", "w", "", 3),
        helper.make_node("Upsample", ["y", "factors"], ["output"], mode="nearest"),
    ]
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[range(3), range(3), 1, 1] = 1
    weights = {"w": kernel, "factors": np.array([1, 1, 2, 2], np.float32)}
    model = build(nodes, weights, [1, 3, "h", "w"], opset=9, ir_version=4)
    found, _ = imported(save(model, tmp_path / "m.onnx"))
    spec = read_spec(found.path)
    assert (spec.opset, spec.frame_shape, spec.halo) == (13, (1, None, None), 1)
    frame = photo()
    np.testing.assert_array_equal(upscaled(found.path, frame), frame.repeat(2, 0).repeat(2, 1))


def test_an_opset_that_tensorrt_does_not_read_is_said(tmp_path: Path) -> None:
    path = Net(opset=26).save(tmp_path / "m.onnx")
    found, notes = imported(path, ImportOptions(order="rgb"))
    assert read_spec(found.path).opset == 26
    (note,) = [note for note in notes if "opset" in note]
    assert note.startswith("out.onnx: not for TensorRT 10.16 (9 to 24), TensorRT 11")
    assert note.endswith(": opset 26")


def test_names_functions_and_nested_graphs_of_its_own(tmp_path: Path) -> None:
    """Values named as the frame contract names its own, read from inside an If."""
    inner = [
        helper.make_graph(
            [helper.make_node(operator, ["pixels", "white"], [f"{operator}_out"])],
            operator,
            [],
            [helper.make_tensor_value_info(f"{operator}_out", 1, None)],
        )
        for operator in ("Min", "Max")
    ]
    nodes = [
        helper.make_node("Twice", ["frames"], ["pixels"], domain="mine"),
        helper.make_node("If", ["half"], ["upscaled"], then_branch=inner[0], else_branch=inner[1]),
    ]
    shape: list[int | str] = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("frames", 1, shape)],
        [helper.make_tensor_value_info("upscaled", 1, ["n", 3, "h2", "w2"])],
        [
            onnx.numpy_helper.from_array(np.array(1, np.float32), "white"),
            onnx.numpy_helper.from_array(np.array(True), "half"),
        ],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    twice = helper.make_function(
        "mine",
        "Twice",
        ["a"],
        ["b"],
        [
            helper.make_node("Constant", [], ["f"], value_floats=[1.0, 1.0, 2.0, 2.0]),
            helper.make_node(
                "Resize",
                ["a", "", "f"],
                ["b"],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            ),
        ],
        [helper.make_opsetid("", 17)],
    )
    model = helper.make_model(graph, opset_imports=opsets, functions=[twice], ir_version=8)
    path = save(model, tmp_path / "m.onnx")
    found, _ = imported(path)
    frame = photo()
    assert np.abs(upscaled(found.path, frame) - by_file(path, frame, "rgb", 0, 1)).max() <= 0.51


def test_sizes_that_crash_onnx_runtime_are_tried_in_a_child(tmp_path: Path) -> None:
    """A pool that is larger than its input ends the process of ONNX Runtime 1.32 (SIGFPE)."""
    model = Net(order="rgb").model()
    model.graph.node[-1].output[0] = "picture"
    weights = {"a": np.ones((16, 3, 3, 3)), "b": np.ones((16, 16, 3, 3)), "share": np.array(1e-6)}
    for name, values in weights.items():
        tensor = onnx.numpy_helper.from_array(values.astype(np.float32), name)
        model.graph.initializer.append(tensor)
    for node in (
        conv("input", "wide", "a", "", 3),
        helper.make_node("Conv", ["wide", "b"], ["half"], kernel_shape=[3, 3], strides=[2, 2]),
        helper.make_node("MaxPool", ["half"], ["pool"], kernel_shape=[7, 7], strides=[3, 3]),
        helper.make_node("ReduceMean", ["pool"], ["mean"], axes=[1, 2, 3]),
        helper.make_node("Mul", ["mean", "share"], ["some"]),
        helper.make_node("Add", ["picture", "some"], ["output"]),
    ):
        model.graph.node.append(node)
    found, _ = imported(save(model, tmp_path / "m.onnx"))
    assert read_spec(found.path).minimum_side > 8
    assert upscaled(found.path, photo(5, 70)).shape == (10, 140, 3)


def test_batches_that_a_file_mixes_up_are_run_one_by_one(tmp_path: Path) -> None:
    """As networks of windows do when their trace knew one picture."""
    model = Net(order="rgb").model()
    model.graph.node[0].input[0] = "mixed"
    nodes = [
        helper.make_node("Shape", ["input"], ["shape"]),
        helper.make_node("Transpose", ["input"], ["turned"], perm=[1, 0, 2, 3]),
        helper.make_node("Reshape", ["turned", "shape"], ["mixed"]),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    found, _ = imported(save(model, tmp_path / "m.onnx"))
    assert read_spec(found.path).frame_shape == (1, None, None)
    frames = np.stack([photo(), photo()[::-1]])
    with Upscaler.load(found.path, "onnx-cpu") as upscaler:
        both = upscaler(frames)
    for frame, big in zip(frames, both, strict=True):
        wanted = by_file(tmp_path / "m.onnx", frame, "rgb", 0, 1)
        assert np.abs(big - wanted).max() <= 0.51


def test_sequences_inside_are_read_back(tmp_path: Path) -> None:
    model = Net(order="rgb", last="clip").model()
    model.graph.node[-1].output[0] = "picture"
    for node in (
        helper.make_node("SplitToSequence", ["picture"], ["parts"], axis=1),
        helper.make_node("ConcatFromSequence", ["parts"], ["output"], axis=1),
    ):
        model.graph.node.append(node)
    path = save(model, tmp_path / "m.onnx")
    found, _ = imported(path)
    frame = photo()
    assert np.abs(upscaled(found.path, frame) - by_file(path, frame, "rgb", 0, 1)).max() <= 0.51


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


def two_inputs(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("sigma", 1, [1]))


def two_outputs(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("features", 1, None))


def channels_last(model: onnx.ModelProto) -> None:
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("input", 1, [1, 64, 64, 3]))


def integers(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8


def vector(model: onnx.ModelProto) -> None:
    del model.graph.input[:]
    model.graph.input.append(helper.make_tensor_value_info("input", 1, [1, 1000]))


def four_at_a_time(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4


def nan_weights(model: onnx.ModelProto) -> None:
    weight = model.graph.initializer[0]
    values = np.array(onnx.numpy_helper.to_array(weight))
    values[0, 0, 0, 0] = np.nan
    weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))


def one_and_a_half(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    model.graph.node.append(
        helper.make_node("Resize", ["input", "", "factors"], ["output"], mode="linear")
    )
    factors = np.array([1, 1, 1.5, 1.5], np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(factors, "factors"))


def depth_map(model: onnx.ModelProto) -> None:
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("ReduceMean", ["input"], ["output"], axes=[1]))


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Magic"


def ours(model: onnx.ModelProto) -> None:
    helper.set_model_props(model, {"framelift.format": "1"})


def ours_of_bytes(model: onnx.ModelProto) -> None:
    integers(model)
    ours(model)


def open_channels_last(model: onnx.ModelProto) -> None:
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, value in zip(dims, ("n", "h", "w", 3), strict=True):
        dim.Clear()
        if isinstance(value, int):
            dim.dim_value = value
        else:
            dim.dim_param = value
    model.graph.node.insert(0, helper.make_node("Transpose", ["input"], ["chw"], perm=[0, 3, 1, 2]))
    for node in model.graph.node[1:]:
        node.input[:] = ["chw" if name == "input" else name for name in node.input]


def frames_last(model: onnx.ModelProto) -> None:
    channels_last(model)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 48


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (two_inputs, r"has the inputs 'input', 'sigma', and only models with one input"),
        (two_outputs, r"has the outputs 'output', 'features', and only models with one output"),
        (channels_last, r"1×64×64×3, which looks like N×H×W×C"),
        (open_channels_last, r"\?×\?×\?×3, which looks like N×H×W×C"),
        (frames_last, r"1×48×64×3, which looks like N×H×W×C"),
        (integers, r"its input 'input' is uint8, and only float networks"),
        (vector, r"its input 'input' is 1×1000; pictures are N×C×H×W"),
        (four_at_a_time, r"takes exactly 4 inputs at a time"),
        (nan_weights, r"its weights 'w1' contain NaN, .*: get the file again, or export it from"),
        (
            one_and_a_half,
            r"runs at none of the sizes tried .* returns 96×96, which is not a whole multiple",
        ),
        (depth_map, r"takes 3 channels \(colour\) and gives 1 channels \(grey\)"),
        (unknown_operator, r"ONNX Runtime 1\S+ refuses it"),
        (ours, r"is a framelift model already"),
        (ours_of_bytes, r"is a framelift model already"),
    ],
)
def test_what_cannot_be_imported_says_why(
    tmp_path: Path, change: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = Net().model()
    change(model)
    path = save(model, tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=message) as caught:
        imported(path)
    assert "\n" not in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


@pytest.mark.parametrize("content", [b"", b"no ONNX at all", b"\x08\x08"])
def test_damaged_files(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not an ONNX file, or is damaged"):
        imported(path)


def test_options_and_targets_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown range '0-1': use one of 0\.\.1, 0\.\.255"):
        ImportOptions(span="0-1")
    path = Net().save(tmp_path / "m.onnx")
    with pytest.raises(OutputError, match=r"must end in \.onnx"):
        import_model(path, tmp_path / "m.engine")
    with pytest.raises(OutputError, match="is the input itself"):
        import_model(path, path, ImportOptions(overwrite=True))
    with pytest.raises(ModelError, match="no such file"):
        import_model(tmp_path / "none.onnx", tmp_path / "out.onnx")


def test_the_runtime_names_the_command(tmp_path: Path) -> None:
    path = Net().save(tmp_path / "m.onnx")
    with pytest.raises(ForeignModelError, match=rf"`framelift import {path} -o MODEL\.onnx`"):
        Upscaler.load(path)
