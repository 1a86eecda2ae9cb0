"""A model for uint16 frames, made of a checked one for uint8, and compared with PyTorch again."""

from __future__ import annotations

import onnx
from torch import nn

from ..common.errors import ExportError, ModelError
from ..common.notes import Say
from ..runtime.models.contract import DEEP_BITS
from ..runtime.models.depth import set_depth
from .parity.comparison import Parity
from .parity.gate import Gate
from .parity.half_gate import Peak
from .parity.sizes import Sizes


def to_deep(
    model: onnx.ModelProto, network: nn.Module, sizes: Sizes, precision: str, say: Say
) -> tuple[onnx.ModelProto, list[Parity], Peak | None]:
    """The model with ends for uint16 frames, and how far it is from the network on such frames.

    `model` is changed. Raises ExportError: its ends are not known, or it differs.
    """
    try:
        set_depth(model, 8, DEEP_BITS)
    except ModelError as error:
        raise ExportError(f"--depth 16: {error}; nothing was written") from error
    deep = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    gate = Gate(network, sizes, DEEP_BITS)
    if precision == "fp16":
        parity, half = gate.require_half(deep)
    else:
        parity, half = gate.require(deep, precision), None
    say(
        "uint16 frames: for ONNX Runtime and Framelift; TensorRT has no uint16, and Framelift "
        "gives it the frames as bytes"
    )
    return deep, parity, half
