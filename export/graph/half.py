"""A contract-2 model with a half-precision network between its unchanged uint8 ends.

Converted by ONNX Runtime's own tool. The ends need no island: code values are whole numbers up to
255, exact in half precision, and what is clamped at the end is at most 1/16 code value off there.
"""

from __future__ import annotations

import numpy as np
import onnx

from ...common.errors import ExportError, MissingDependencyError
from ...runtime.models.graph import Graph, attributes

MAX_HALF = 65504.0

# Sums over many values, and positions: half precision loses them.
ISLANDS = frozenset(
    {
        "CumSum",
        "GlobalAveragePool",
        "GroupNormalization",
        "InstanceNormalization",
        "LayerNormalization",
        "LpNormalization",
        "MeanVarianceNormalization",
        "Pow",
        "Range",
        "ReduceL2",
        "ReduceMean",
        "ReduceSum",
        "Softmax",
        "Upsample",
    }
)


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` (fp32, contract 2) in fp16, with norms and interpolating resizes left in fp32.

    The caller compares it with the network. Raises ExportError if a weight is beyond fp16's range.
    """
    try:
        from onnxruntime.transformers.float16 import convert_float_to_float16
    except ImportError as error:
        raise MissingDependencyError(
            "fp16 is made by ONNX Runtime's converter: pip install 'framelift[cpu]'"
        ) from error
    _check_range(model)
    named = onnx.ModelProto()
    named.CopyFrom(model)
    for index, node in enumerate(named.graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
    islands = [node.name for node in named.graph.node if _is_island(node)]
    half: onnx.ModelProto = convert_float_to_float16(
        named,
        keep_io_types=True,
        disable_shape_infer=True,
        op_block_list=[],
        node_block_list=islands,
    )
    _uncast_constants(half)
    return _sorted(half)


def _uncast_constants(model: onnx.ModelProto) -> None:
    """Undo the converter's casts of float32 constants to float32: TensorRT reads the factors of a
    Resize only from a constant itself.
    """
    graph = Graph(model.graph)
    for node in [node for node in graph.nodes if node.op_type == "Cast"]:
        constant = graph.constants.get(node.input[0], np.empty(0, np.float16))
        if constant.dtype == np.float32 and attributes(node)["to"] == onnx.TensorProto.FLOAT:
            graph.replace_uses(node.output[0], node.input[0])
            graph.nodes.remove(node)
    graph.write_to(model.graph)


def _check_range(model: onnx.ModelProto) -> None:
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size and np.abs(values).max() > MAX_HALF:
            raise ExportError(
                f"weight {tensor.name} reaches {np.abs(values).max():g}, above the fp16 maximum of "
                f"{MAX_HALF:g}; use --precision fp32"
            )


def _sorted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The converter appends its casts; ONNX wants nodes after what they read."""
    import onnx_ir

    tidy = onnx_ir.from_proto(model)
    tidy.graph.sort()
    proto = onnx_ir.to_proto(tidy)
    del proto.graph.value_info[:]  # of the fp32 graph
    return onnx.shape_inference.infer_shapes(proto, strict_mode=True)


def _is_island(node: onnx.NodeProto) -> bool:
    if node.op_type == "Resize":
        return bool(attributes(node).get("mode", b"nearest") != b"nearest")
    return node.op_type in ISLANDS
