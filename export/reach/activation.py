"""Memory that a model takes per pixel, where its graph does not state all sizes."""

from __future__ import annotations

import math

import numpy as np
import onnx
from onnx import TensorProto

from ...runtime.models.memory import peak_bytes, sized
from ...runtime.ort.library import load_onnxruntime
from ..parity.session import open_session, run_session
from ..parity.sizes import Sizes

_SIDE = 32
_COUNTED = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.UINT16)


def measured_activation_bytes(model: onnx.ModelProto, sizes: Sizes, window: int = 1) -> int | None:
    """Peak bytes of the values alive at once, per pixel of a frame, measured by running.

    None if all sizes can be inferred: the runtime then does so. Values inside nested graphs are not
    counted. Raises ExportError if the model cannot be run.
    """
    multiple = sizes.multiple
    free = -(-max(_SIDE, sizes.minimum) // multiple) * multiple
    height, width = sizes.height or free, sizes.width or free
    count = window if window > 1 else sizes.batch or 1
    graph = sized(model, (count, height, width))
    if all(_is_known(value) for value in graph.value_info):
        return None
    shown = [value.name for value in graph.value_info if _kind(value) in _COUNTED]
    level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    session = open_session(model, level, outputs=shown)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(_kind(model.graph.input[0]))
    values = run_session(session, np.zeros((count, height, width, 3), dtype))
    found = {name: value.nbytes for name, value in zip(shown, values, strict=True)}
    pixels = height * width * count // window
    return max(1, math.ceil(peak_bytes(graph, found) / pixels))


def _kind(value: onnx.ValueInfoProto) -> int:
    return int(value.type.tensor_type.elem_type)


def _is_known(value: onnx.ValueInfoProto) -> bool:
    if _kind(value) not in _COUNTED:
        return True
    shape = value.type.tensor_type.shape
    return value.type.tensor_type.HasField("shape") and all(dim.dim_value for dim in shape.dim)
