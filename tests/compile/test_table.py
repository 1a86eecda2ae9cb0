"""The table of TensorRT's operators says what NVIDIA's parser says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from framelift.export.check.facts import facts
from framelift.export.check.node_rules import tensorrt_problems
from framelift.export.check.typed_graph import TypedGraph

from .conftest import Builder

pytestmark = pytest.mark.compile

FLOAT, UINT8, HALF = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.FLOAT16
SCALES = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
AXES = numpy_helper.from_array(np.array([1], np.int64), "axes")
SHAPE = helper.make_node("Shape", ["x"], ["shape"])

# Of the 1884 models of ONNX's node tests (1.23), those of which the table says something else.
# The parser takes a zero point that is no constant; the builder does not.
TAKEN_BY_THE_PARSER_ALONE = {
    "quantizelinear",
    "quantizelinear_axis",
    "quantizelinear_blocked_asymmetric",
}
# Refused for shapes that do not fit together, for optional values and for sequences as inputs, for
# float limits of a Range: nothing that a network for images has.
REFUSED_BY_THE_PARSER_ALONE = {
    "affine_grid_3d_align_corners_expanded",
    "affine_grid_3d_expanded",
    "bernoulli_expanded",
    "dequantizelinear_float4e2m1",
    "dequantizelinear_int4",
    "identity_opt",
    "identity_sequence",
    "matmul_1d_3d",
    "range_bfloat16_type_positive_delta_expanded",
    "range_float16_type_positive_delta_expanded",
    "range_float_type_positive_delta",
    "range_float_type_positive_delta_expanded",
    "tensorscatter_3d",
}


def _node(operator: str, *inputs: str, **found: Any) -> onnx.NodeProto:  # noqa: ANN401 - attributes
    return helper.make_node(operator, ["x", *inputs], ["y"], "node", **found)


def _resize(**found: Any) -> list[onnx.NodeProto]:  # noqa: ANN401
    return [_node("Resize", "", "scales", **found)]


CASES: dict[str, tuple[list[onnx.NodeProto], int, bool]] = {
    # Name: nodes, the type of x, whether TensorRT takes them.
    "cubic": (_resize(mode="cubic"), FLOAT, True),
    "linear": (_resize(mode="linear", coordinate_transformation_mode="asymmetric"), FLOAT, True),
    "antialias": (_resize(mode="linear", antialias=1), FLOAT, False),
    "symmetric": (_resize(coordinate_transformation_mode="half_pixel_symmetric"), FLOAT, False),
    "policy": (_resize(keep_aspect_ratio_policy="not_larger"), FLOAT, False),
    "constant axes": ([_node("ReduceMean", "axes")], FLOAT, True),
    "computed axes": ([SHAPE, _node("ReduceMean", "shape")], FLOAT, False),
    "dilated pooling": (
        [_node("MaxPool", kernel_shape=[3, 3], dilations=[2, 2])],
        FLOAT,
        False,
    ),
    "pooling": ([_node("MaxPool", kernel_shape=[3, 3])], FLOAT, True),
    "LpPool of 3": ([_node("LpPool", kernel_shape=[3, 3], p=3)], FLOAT, False),
    "uint8 turned": ([_node("Transpose", perm=[0, 2, 3, 1])], UINT8, False),
    "uint8 cast": ([_node("Cast", to=FLOAT)], UINT8, True),
    "uint16": ([_node("Cast", to=FLOAT)], TensorProto.UINT16, False),
    "float64": ([_node("Relu")], TensorProto.DOUBLE, True),
    "half": ([_node("Relu")], HALF, True),
    "Celu in half": ([_node("Celu")], HALF, False),
    "Mod of floats": ([_node("Mod", "x")], FLOAT, False),
    "fmod of floats": ([_node("Mod", "x", fmod=1)], FLOAT, True),
    "no importer": ([_node("Det")], FLOAT, False),
    "plug-in": ([_node("NonZero")], FLOAT, False),
}


def _table_takes(model: onnx.ModelProto) -> bool:
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    found = tensorrt_problems(TypedGraph(inferred), "tensorrt-rtx")
    return not any(problem.is_error for problem in found)


@pytest.mark.parametrize("case", CASES)
def test_table_and_parser_agree(builder: Builder, tmp_path: Path, case: str) -> None:
    nodes, kind, taken = CASES[case]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, [1, 3, "h", "w"])],
        [onnx.ValueInfoProto(name="y")],
        [SCALES, AXES],
    )
    opset = helper.make_opsetid("", 20)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=10)
    inferred = onnx.shape_inference.infer_shapes(model)  # the parser wants the type of the output
    path = tmp_path / "m.onnx"
    onnx.save(inferred, path)
    said = builder.parse(path)
    assert (not said) == taken, said
    assert _table_takes(inferred) == taken


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::DeprecationWarning")
def test_table_and_parser_agree_on_onnx_s_own_models(builder: Builder, tmp_path: Path) -> None:
    from onnx.backend.test.case.node import collect_testcases

    too_strict, too_lax = set(), set()
    for case in collect_testcases(None):
        name = case.name.removeprefix("test_")
        path = tmp_path / "m.onnx"
        assert case.model is not None
        path.write_bytes(case.model.SerializeToString())
        taken, by_table = not builder.parse(path), _table_takes(case.model)
        if case.model.opset_import[0].domain or any(n.domain for n in case.model.graph.node):
            continue  # other domains are looked at elsewhere
        if taken and not by_table:
            too_strict.add(name)
        elif by_table and not taken:
            too_lax.add(name)
    assert too_strict == TAKEN_BY_THE_PARSER_ALONE
    # Of Attention the table says that there is a risk: keys and values must have one shape.
    attention = {name for name in too_lax if name.startswith("attention_")}
    assert len(attention) <= 12
    assert too_lax - attention == REFUSED_BY_THE_PARSER_ALONE


def test_operators_of_the_table_are_no_misprints() -> None:
    table = facts().tensorrt
    names = {*table.supported, *table.unsupported, *table.plugins, *table.limits}
    unknown = {name for name in names if not onnx.defs.has(name)}
    assert unknown <= {"Scatter", "Upsample"}
