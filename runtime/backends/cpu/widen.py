"""Makes an fp16 model a float32 one, as which a processor computes it anyway.

On x86, ONNX Runtime's CPU provider has no convolution in half precision: it puts a conversion
before and after each operator, which takes longer than fp32 (docs/export.md). On ARM, where some
have one, that was not measured.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...models.file import ModelSpec
from ...models.memory import activation_bytes_per_pixel
from ...models.metadata import ACTIVATION_BYTES

if TYPE_CHECKING:
    import onnx


def has_half(graph: onnx.GraphProto) -> bool:
    """Whether values are stored in half precision."""
    import onnx

    return any(value.data_type == onnx.TensorProto.FLOAT16 for value in graph.initializer)


def widen(graph: onnx.GraphProto) -> None:
    """Make half precision float32 in place: stored values, types, and what operators produce.

    Of the graph and those inside its nodes, not of functions that the model brings along.
    """
    import onnx

    half, single = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    for tensor in graph.initializer:
        _widen_tensor(tensor)
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type = single
    for node in graph.node:
        for item in node.attribute:
            if item.name in ("to", "dtype", "output_dtype") and item.i == half:
                item.i = single
            if item.HasField("t"):
                _widen_tensor(item.t)
            for inner in (*([item.g] if item.HasField("g") else []), *item.graphs):
                widen(inner)


def widened_bytes(spec: ModelSpec, model: onnx.ModelProto) -> int:
    """Memory that a widened model takes per input pixel."""
    if ACTIVATION_BYTES in spec.metadata:
        return 2 * spec.activation_bytes
    return activation_bytes_per_pixel(model, spec.size_multiple) * spec.window


def _widen_tensor(tensor: onnx.TensorProto) -> None:
    import onnx

    if tensor.data_type == onnx.TensorProto.FLOAT16:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
