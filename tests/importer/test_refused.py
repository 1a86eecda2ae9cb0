"""What cannot be imported says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from framelift.common.errors import ConfigError, ForeignModelError, ModelError, OutputError
from framelift.export.check.checker import check_model
from framelift.importer import ImportOptions, import_model
from framelift.runtime import Upscaler

from ..support.foreign_models import Net, save
from ..support.importing import imported


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
    problem = "is not an ONNX file or is damaged" if content else r"is empty \(0 bytes\)"
    with pytest.raises(ModelError, match=problem):
        imported(path)


def test_metadata_that_is_not_utf_8_is_no_damage(tmp_path: Path) -> None:
    model = Net().model()
    helper.set_model_props(model, {"author": "XXXX"})
    path = save(model, tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"Jos\xe9"))
    _, notes = imported(path)
    assert notes
    assert check_model(path).path == path


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
