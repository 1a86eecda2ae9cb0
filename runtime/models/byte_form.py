"""Gives a model of uint16 frames ends of uint8, for engines that have no uint16."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import ModelError
from .depth import changed, find_head, set_type
from .file import ModelSpec
from .graph import Graph, attributes

if TYPE_CHECKING:
    import onnx

_BYTES = 2


def in_bytes(spec: ModelSpec) -> ModelSpec:
    """A model of uint16 frames with ends of uint8: N×H×2W×3, the same memory.

    TensorRT has no uint16.
    """
    import onnx

    model = spec.model()
    graph = Graph(model.graph)
    head = find_head(graph)
    cast = graph.producer(graph.output, "Cast")
    if head is None or cast is None:
        raise ModelError(
            f"{spec.name}: it does not begin and end like an exported model, so no GPU can run it"
        )
    _read_bytes(graph, head)
    _write_bytes(graph, cast)
    graph.write_to(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.tensor_type
        kind.elem_type = onnx.TensorProto.UINT8
        width = kind.shape.dim[2]
        if width.HasField("dim_value"):
            width.dim_value *= _BYTES
        else:
            width.dim_param = f"{width.dim_param or value.name}_bytes"
    count, height, columns = spec.frame_shape
    shape = (count, height, None if columns is None else _BYTES * columns)
    return changed(spec, model, frame_shape=shape)


def _read_bytes(graph: Graph, cast: onnx.NodeProto) -> None:
    """uint8 N×H×2W×3 becomes the float N×H×W×3 of its pairs of bytes, the lower one first."""
    import onnx

    kind, value = int(attributes(cast)["to"]), cast.output[0]
    graph.constants["bytes.pairs"] = np.array([0, 0, -1, 3, _BYTES], np.int64)
    graph.constants["bytes.axis"] = np.array([4], np.int64)
    graph.set_constant("bytes.places", np.array([1, 256]))
    graph.replace_uses(value, "bytes_joined")
    after = graph.nodes.index(cast) + 1
    set_type(cast, onnx.TensorProto.FLOAT)
    make = onnx.helper.make_node
    graph.nodes[after:after] = [
        make("Reshape", [value, "bytes.pairs"], ["bytes_in_pairs"]),
        make("Mul", ["bytes_in_pairs", "bytes.places"], ["bytes_placed"]),
        make("ReduceSum", ["bytes_placed", "bytes.axis"], ["bytes_sum"], keepdims=0),
        make("Cast", ["bytes_sum"], ["bytes_joined"], to=kind),
    ]


def _write_bytes(graph: Graph, cast: onnx.NodeProto) -> None:
    """Whole numbers N×H×W×3 become uint8 N×H×2W×3, pairs of bytes, the lower one first."""
    import onnx

    value = cast.input[0]
    graph.set_constant("bytes.256", 256)
    graph.set_constant("bytes.1/256", 1 / 256)
    graph.constants["bytes.last"] = np.array([4], np.int64)
    graph.constants["bytes.flat"] = np.array([0, 0, -1, 3], np.int64)
    at = graph.nodes.index(cast)
    make = onnx.helper.make_node
    graph.nodes[at:at] = [
        make("Mul", [value, "bytes.1/256"], ["bytes_shifted"]),
        make("Floor", ["bytes_shifted"], ["bytes_high"]),
        make("Mul", ["bytes_high", "bytes.256"], ["bytes_above"]),
        make("Sub", [value, "bytes_above"], ["bytes_low"]),
        make("Unsqueeze", ["bytes_low", "bytes.last"], ["bytes_low_part"]),
        make("Unsqueeze", ["bytes_high", "bytes.last"], ["bytes_high_part"]),
        make("Concat", ["bytes_low_part", "bytes_high_part"], ["bytes_pairs"], axis=4),
        make("Reshape", ["bytes_pairs", "bytes.flat"], ["bytes_codes"]),
    ]
    cast.input[0] = "bytes_codes"
    set_type(cast, onnx.TensorProto.UINT8)
