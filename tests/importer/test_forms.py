"""What files are made of: weights, opsets, names, nested graphs, channels and sizes that crash."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from framelift.common.errors import ModelError
from framelift.importer import ImportOptions, import_model
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec

from ..support.foreign_models import Net, build, conv, save
from ..support.importing import by_file, imported, photo, upscaled


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
