"""How far operators of ONNX reach along one axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...runtime.models.graph import attributes

# The start of an empty interval, and negated its end: a union with it changes nothing. A quarter of
# the largest number, so that differences do not overflow.
_NOTHING = np.iinfo(np.int64).max // 4

Constants = Mapping[str, NDArray[Any]]
"""Those of the graph by name."""


ELEMENTWISE = frozenset(
    {
        "Abs",
        "Add",
        "BatchNormalization",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "DequantizeLinear",
        "Div",
        "Dropout",
        "Elu",
        "Equal",
        "Erf",
        "Exp",
        "Floor",
        "Gelu",
        "Greater",
        "HardSigmoid",
        "HardSwish",
        "Identity",
        "LeakyRelu",
        "Less",
        "Log",
        "Max",
        "Min",
        "Mish",
        "Mul",
        "Neg",
        "Not",
        "PRelu",
        "Pow",
        "QuantizeLinear",
        "Reciprocal",
        "Relu",
        "Round",
        "Selu",
        "Sigmoid",
        "Sign",
        "Softplus",
        "Softsign",
        "Sqrt",
        "Sub",
        "Sum",
        "Swish",
        "Tanh",
        "Where",
    }
)


CHANNELWISE = frozenset(
    {
        "Concat",
        "Gather",
        "LayerNormalization",
        "LogSoftmax",
        "ReduceL2",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceSum",
        "Slice",
        "Softmax",
        "Split",
    }
)


@dataclass(frozen=True)
class Reach:
    """For each index along one axis, the half-open interval of input pixels it depends on."""

    start: NDArray[np.int64]
    stop: NDArray[np.int64]

    def gather(self, taps: Sequence[NDArray[np.int64]]) -> Reach:
        """The union over several index arrays; indices outside depend on nothing."""
        starts, stops = [], []
        for tap in taps:
            inside = (tap >= 0) & (tap < len(self.start))
            safe = np.where(inside, tap, 0)
            starts.append(np.where(inside, self.start[safe], _NOTHING))
            stops.append(np.where(inside, self.stop[safe], -_NOTHING))
        return Reach(np.min(starts, axis=0), np.max(stops, axis=0))

    def joined(self, other: Reach) -> Reach:
        """The union with a reach of the same length."""
        return Reach(np.minimum(self.start, other.start), np.maximum(self.stop, other.stop))


class NoHaloError(Exception):
    """The graph has an operator whose reach is the whole frame or is not known."""


def _conv(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    kernel, stride, dilation, begin, end = _window(node, constants, axis)
    length = len(reach.start)
    auto = attributes(node).get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        # So much padding that length / stride values come out, rounded up. Of an odd number the
        # last pixel goes to the end for UPPER, to the beginning for LOWER.
        total = max(0, (-(-length // stride) - 1) * stride + (kernel - 1) * dilation + 1 - length)
        begin = total // 2 if auto == b"SAME_UPPER" else -(-total // 2)
        end = total - begin
    count = (length + begin + end - (kernel - 1) * dilation - 1) // stride + 1
    first = np.arange(count) * stride - begin
    return reach.gather([first + tap * dilation for tap in range(kernel)])


def _conv_transpose(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    kernel, stride, dilation, begin, end = _window(node, constants, axis)
    found = attributes(node)
    if found.get("auto_pad", b"NOTSET") != b"NOTSET" or "output_shape" in found:
        raise NoHaloError
    extra = found.get("output_padding", [0, 0])[axis]
    count = (len(reach.start) - 1) * stride + (kernel - 1) * dilation + 1 - begin - end + extra
    taps = []
    for tap in range(kernel):
        # Input i adds to output i · stride + tap · dilation − begin. Seen from the output, this tap
        # has an input only where the division has no remainder.
        source = np.arange(count) + begin - tap * dilation
        taps.append(np.where(source % stride == 0, source // stride, -1))
    return reach.gather(taps)


def _window(
    node: onnx.NodeProto, constants: Constants, axis: int
) -> tuple[int, int, int, int, int]:
    """Kernel size, stride, dilation and padding at begin and end along the axis."""
    found = attributes(node)
    kernel = found.get("kernel_shape")
    if kernel is None:
        weight = constants.get(node.input[1])
        if weight is None:
            raise NoHaloError
        kernel = weight.shape[2:]
    if len(kernel) != 2:
        raise NoHaloError
    pads = found.get("pads", [0, 0, 0, 0])
    strides, dilations = found.get("strides", [1, 1]), found.get("dilations", [1, 1])
    return kernel[axis], strides[axis], dilations[axis], pads[axis], pads[axis + 2]


def _depth_to_space(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    block = attributes(node)["blocksize"]
    return reach.gather([np.arange(len(reach.start) * block) // block])


def _space_to_depth(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    block = attributes(node)["blocksize"]
    first = np.arange(len(reach.start) // block) * block
    return reach.gather([first + tap for tap in range(block)])


def _resize(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    found = attributes(node)
    scales = constants.get(node.input[2]) if len(node.input) == 3 else None
    if scales is None or len(scales) != 4 or found.get("antialias", 0):
        raise NoHaloError
    factor, length = float(scales[axis + 2]), len(reach.start)
    count = int(np.floor(length * factor))
    where = _source_position(
        found.get("coordinate_transformation_mode", b"half_pixel"), count, length, factor
    )
    mode = found.get("mode", b"nearest")
    if mode == b"nearest":
        rounding = _NEAREST[found.get("nearest_mode", b"round_prefer_floor")]
        taps = [rounding(where).astype(np.int64)]
    else:
        base = np.floor(where).astype(np.int64)
        whole = where == base  # on a pixel of the input, where its neighbours have weight 0
        spread = (0, 1) if mode == b"linear" else (-1, 0, 1, 2)
        taps = [np.where(whole, base, base + offset) for offset in spread]
    return reach.gather([np.clip(tap, 0, length - 1) for tap in taps])


_NEAREST: dict[bytes, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    b"floor": np.floor,
    b"ceil": np.ceil,
    b"round_prefer_floor": lambda where: np.ceil(where - 0.5),
    b"round_prefer_ceil": lambda where: np.floor(where + 0.5),
}


def _source_position(mode: bytes, count: int, length: int, factor: float) -> NDArray[np.float64]:
    index = np.arange(count, dtype=np.float64)
    if mode == b"asymmetric":
        return index / factor
    if mode in (b"half_pixel", b"pytorch_half_pixel"):
        return (index + 0.5) / factor - 0.5
    raise NoHaloError  # align_corners stretches with the frame: no tile gives the same


def _pad(node: onnx.NodeProto, reach: Reach, constants: Constants, axis: int) -> Reach:
    pads = constants.get(node.input[1])
    if pads is None or len(pads) != 8:
        raise NoHaloError
    begin, end = int(pads[axis + 2]), int(pads[axis + 6])
    length = len(reach.start)
    index = np.arange(-begin, length + end)
    mode = attributes(node).get("mode", b"constant")
    if mode == b"edge":
        index = np.clip(index, 0, length - 1)
    elif mode == b"reflect":
        # Folded back at 0 by the inner abs, and at the last pixel by the outer one.
        index = (length - 1) - np.abs((length - 1) - np.abs(index))
    elif mode != b"constant":
        raise NoHaloError
    return reach.gather([index])


SPATIAL: dict[str, Callable[[onnx.NodeProto, Reach, Constants, int], Reach]] = {
    "AveragePool": _conv,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "DepthToSpace": _depth_to_space,
    "MaxPool": _conv,
    "Pad": _pad,
    "Resize": _resize,
    "SpaceToDepth": _space_to_depth,
}
