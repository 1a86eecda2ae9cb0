from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from framelift.common.errors import BackendError
from framelift.runtime.tensorrt.cache.precision import (
    check_precision,
    convolution_types,
    layer_count,
    measure_precision,
)


def _model(nodes: list[onnx.NodeProto], tensors: list[onnx.TensorProto]) -> onnx.ModelProto:
    shape: list[str | int | None] = ["n", 3, "h", "w"]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def _tensor(name: str, values: Any, dtype: Any) -> onnx.TensorProto:  # noqa: ANN401
    return numpy_helper.from_array(np.array(values, dtype), name)


KERNEL = np.zeros((3, 3, 1, 1))


def test_types_of_a_plain_model(shuffle_model_path: Path) -> None:
    types = convolution_types(onnx.load(shuffle_model_path))
    # Its nodes have no names: TensorRT's parser then makes one from the output.
    assert types == {"node_of_conv0": "fp32", "node_of_conv1": "fp32", "node_of_base": "fp32"}


def test_types_of_a_mixed_model() -> None:
    model = _model(
        [
            helper.make_node("Cast", ["x"], ["half"], to=TensorProto.FLOAT16),
            helper.make_node("Conv", ["half", "w16"], ["a"], "in_half"),
            helper.make_node("Cast", ["a"], ["single"], to=TensorProto.FLOAT),
            helper.make_node("Conv", ["single", "w32"], ["b"], "in_single"),
            helper.make_node("QuantizeLinear", ["b", "scale", "zero"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
            helper.make_node("Conv", ["d", "w32"], ["y"], "in_int8"),
        ],
        [
            _tensor("w16", KERNEL, np.float16),
            _tensor("w32", KERNEL, np.float32),
            _tensor("scale", 0.5, np.float32),
            _tensor("zero", 0, np.int8),
        ],
    )
    assert convolution_types(model) == {"in_half": "fp16", "in_single": "fp32", "in_int8": "int8"}


def _ten(name: str, kind: str, layer_type: str = "CaskConvolution") -> dict[str, Any]:
    """A layer as TensorRT 10 describes it."""
    return {
        "Name": f"{name} + relu",
        "LayerType": layer_type,
        "Inputs": [{"Name": "i", "Format/Datatype": kind}],
        "Outputs": [{"Name": "o", "Format/Datatype": kind}],
        "Metadata": f"[ONNX Layer: {name}]\x1e[ONNX Layer: relu]",
    }


def _eleven(name: str, kind: str) -> dict[str, Any]:
    """A layer as TensorRT 11 describes it."""
    return {
        "Name": f"__myl_{name}",
        "LayerType": "correlation",
        "Inputs": [{"Name": "i", "Format": "LINEAR", "DataType": kind}],
        "Outputs": [{"Name": "o", "Format": "LINEAR", "DataType": kind}],
        "Metadata": f"[ONNX Layer: {name}]",
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("Half", "fp16"),
        ("Channel major FP16 format where channel % 8 == 0", "fp16"),
        ("Float", "fp32"),
        ("Row major linear FP32", "fp32"),
        ("Thirty-two wide channel vectorized row major Int8 format", "int8"),
        ("BFloat16", "bf16"),
        ("FP8", "fp8"),
    ],
)
def test_both_spellings_of_types_are_understood(kind: str, expected: str) -> None:
    for layers, io in (([_ten("c", kind)], "Bindings"), ([_eleven("c", kind)], "I/O Tensors")):
        inspection = json.dumps({"Layers": layers, io: []})
        report = measure_precision(inspection, {"c": expected})
        assert (report.seen, report.as_graph, report.share) == (1, 1, 1.0)
        assert not measure_precision(inspection, {"c": "fp4"}).as_graph


def test_an_engine_in_another_precision_is_refused() -> None:
    inspection = json.dumps({"Layers": [_ten(f"c{index}", "Float") for index in range(4)]})
    expected = {f"c{index}": "fp16" for index in range(4)}
    with pytest.raises(
        BackendError, match=r"0 of 4 convolutions.*c0 runs in fp32, the graph says fp16; nothing"
    ):
        check_precision("tiny", inspection, expected)


def test_one_of_many_in_another_precision_is_reported() -> None:
    layers = [_ten(f"c{index}", "Half") for index in range(19)] + [_ten("last", "Float")]
    expected = {f"c{index}": "fp16" for index in range(19)} | {"last": "fp16"}
    report = check_precision("tiny", json.dumps({"Layers": layers}), expected)
    assert report.text() == "19 of 20 convolutions run in the graph's precision"
    assert report.record()["others"] == ["last runs in fp32, the graph says fp16"]


def test_uint8_is_not_taken_for_int8() -> None:
    inspection = json.dumps({"Layers": [_ten("c", "UInt8")]})
    assert measure_precision(inspection, {"c": "int8"}).as_graph == 0


def test_reformat_layers_prove_nothing() -> None:
    inspection = json.dumps({"Layers": [_ten("c", "Half", "Reformat")]})
    assert measure_precision(inspection, {"c": "fp16"}).seen == 0


def test_layers_without_metadata_are_matched_by_name() -> None:
    layer = _ten("c", "Half") | {"Metadata": ""}
    assert measure_precision(json.dumps({"Layers": [layer]}), {"c": "fp16"}).as_graph == 1
    assert measure_precision(json.dumps({"Layers": [layer]}), {"cc": "fp16"}).seen == 0


@pytest.mark.parametrize("inspection", ["", "[]", '{"Layers": ["conv", "relu"]}', "{}"])
def test_what_cannot_be_verified_is_not_called_verified(inspection: str) -> None:
    report = check_precision("tiny", inspection, {"c": "fp16"})
    assert report.share is None
    assert report.text() == "not verified: the inspector names none of 1 convolutions"
    assert layer_count(inspection) == 0
    assert check_precision("tiny", inspection, {}).text() == "there are no convolutions to verify"
