"""The plain network inside a framelift model: float32 N×3×H×W, RGB, 0–1, in and out.

That is how super-resolution networks are commonly shipped. It is derived from the .onnx file: the
conversions at both ends and the clamp are cut away, and value range, rounding and channel order are
unfolded from the first and the last convolutions. The layers, their sizes and DepthToSpace at the
end stay, so it is the same work between other ends. An int8 model keeps its Q/DQ pairs; where its
ends are uint8, floats are made codes before the first of them and codes floats after the last. An
fp16 model becomes a float32 one, as which processors compute it; for a GPU it stays in half
precision between conversions at its ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import ModelError
from ...runtime.backends.cpu.widen import has_half, widen
from ...runtime.models.contract import DEEP_BITS
from ...runtime.models.depth import set_depth
from ...runtime.models.graph import Graph, attributes

INPUT = "input"
OUTPUT = "output"

_PEAK = 255.0
# The exported last convolution adds one half, so that the truncating cast rounds.
_ROUNDING = 0.5


class _NotPlainError(Exception):
    """The graph has ends that cannot be unfolded."""


@dataclass(frozen=True)
class _Head:
    """The nodes that read the frames as N×3×H×W; `folded`: they scale 0–255 by their weights."""

    readers: list[onnx.NodeProto]
    folded: bool


@dataclass(frozen=True)
class _Tail:
    """What the last convolutions make, before the pixel shuffle, and how its channels become
    pixels; `folded`: in codes, with the rounding in their biases, else in the range 0–1."""

    value: str
    folded: bool
    block: int = 1
    mode: str = "CRD"

    def swapped_channels(self) -> NDArray[np.int64]:
        """The channel order that exchanges blue and red in the result."""
        channels = np.arange(3 * self.block**2)
        if self.mode == "DCR":
            return channels.reshape(-1, 3)[:, ::-1].ravel()
        return channels.reshape(3, -1)[::-1].ravel()


def float_network(model: onnx.ModelProto, name: str, *, keep_half: bool = False) -> onnx.ModelProto:
    """Derive the float network of a framelift model, which is left as it is.

    `name` is for messages. With `keep_half`, an fp16 model computes in half precision. Raises
    ModelError for a model that does not begin and end with plain convolutions (with or without a
    pixel shuffle): there, folding cannot be undone.
    """
    result = onnx.ModelProto()
    result.CopyFrom(model)
    if result.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT16:
        set_depth(result, DEEP_BITS, 8)
    proto = result.graph
    in_half = keep_half and has_half(proto)
    if not in_half:
        widen(proto)
    n, h, w = (_size(dim) for dim in list(proto.input[0].type.tensor_type.shape.dim)[:3])
    pictures = _size(proto.output[0].type.tensor_type.shape.dim[0])
    if isinstance(n, int) and isinstance(pictures, int) and n != pictures:
        raise ModelError(
            f"{name} takes {n} frames for each one that it returns: its network alone cannot be "
            "compared"
        )
    graph = Graph(proto)
    try:
        head = _cut_head(graph, onnx.TensorProto.FLOAT16 if in_half else onnx.TensorProto.FLOAT)
        tail = _cut_tail(graph)
        for conv in head.readers:
            factor = _PEAK if head.folded else 1.0
            _change(graph, conv, 1, np.arange(3)[::-1], axis=1, factor=factor)
        _unfold_output(graph, tail)
    except _NotPlainError as error:
        raise ModelError(f"{name}: its float form cannot be derived ({error})") from error
    if in_half:
        _convert_ends(graph)
    graph.write_to(proto)
    del proto.input[:], proto.output[:], result.metadata_props[:]
    describe = onnx.helper.make_tensor_value_info
    proto.input.append(describe(INPUT, onnx.TensorProto.FLOAT, [n, 3, h, w]))
    proto.output.append(describe(OUTPUT, onnx.TensorProto.FLOAT, [n, 3, None, None]))
    onnx.checker.check_model(result)
    return result


def _convert_ends(graph: Graph) -> None:
    """Give a half-precision network float32 ends."""
    graph.replace_uses(INPUT, "input_half")
    last = graph.producer(OUTPUT)
    assert last is not None
    last.output[0] = "output_half"
    for inside, outside, kind in (
        ("input_half", INPUT, onnx.TensorProto.FLOAT16),
        ("output_half", OUTPUT, onnx.TensorProto.FLOAT),
    ):
        names = (outside, inside) if outside == INPUT else (inside, outside)
        node = onnx.helper.make_node("Cast", [names[0]], [names[1]], to=kind)
        graph.nodes.insert(0 if outside == INPUT else len(graph.nodes), node)


def _cut_head(graph: Graph, computed_in: int) -> _Head:
    """Remove Cast and Transpose after the input; float codes are quantised where uint8 is read."""
    value, removed = graph.input, {}
    while len(users := graph.consumers(value)) == 1 and users[0].op_type in ("Cast", "Transpose"):
        removed[users[0].op_type] = attributes(users[0])
        value = users[0].output[0]
        graph.nodes.remove(users[0])
    to_nchw = {"Transpose": {"perm": [0, 3, 1, 2]}}
    if removed == {"Cast": {"to": computed_in}} | to_nchw:
        graph.replace_uses(value, INPUT)
        return _Head(users, folded=True)
    if removed == to_nchw and [node.op_type for node in users] == ["DequantizeLinear"]:
        step, zero = graph.set_constant("input_step", 1 / _PEAK), users[0].input[2]
        graph.nodes.insert(
            0, onnx.helper.make_node("QuantizeLinear", [INPUT, step, zero], ["input_codes"])
        )
        graph.replace_uses(value, "input_codes")
        return _Head(graph.consumers(users[0].output[0]), folded=False)
    raise _NotPlainError(
        "it does not begin with a cast to float32 or float16 and a transpose to NCHW"
    )


def _cut_tail(graph: Graph) -> _Tail:
    """Remove the conversions and the clamp at the end, so that a pixel shuffle comes last."""
    value = _skip_back(graph, graph.output, ("Cast", "Transpose", "Floor"))
    shuffle = graph.producer(value)
    if shuffle is None or shuffle.op_type != "DepthToSpace":
        value = _skip_back(graph, value, ("Clip", "Floor"))
        value, scaled = _skip_scaling(graph, value)
        last = shuffle = graph.producer(value)
        block, mode = 1, "CRD"
        if scaled and last is not None:
            last.output[0] = OUTPUT
            return _Tail(OUTPUT, False)
    else:
        found = attributes(shuffle)
        block, mode = found["blocksize"], found.get("mode", b"DCR").decode()
        ends = ("Clip", "Floor", "DequantizeLinear")
        value = shuffle.input[0] = _skip_back(graph, shuffle.input[0], ends)
        last = graph.producer(value)
    if last is None or shuffle is None:
        raise _NotPlainError("it has no network between its ends")
    if last.op_type == "QuantizeLinear":  # codes, which are shuffled faster than floats
        _append_dequantise(graph, shuffle, last.input[2])
        return _Tail(last.input[0], False, block, mode)
    shuffle.output[0] = OUTPUT
    return _Tail(OUTPUT if last is shuffle else value, True, block, mode)


def _append_dequantise(graph: Graph, node: onnx.NodeProto, zero: str) -> None:
    node.output[0] = "output_codes"
    inputs = [node.output[0], graph.set_constant("output_step", 1 / _PEAK), zero]
    graph.nodes.append(onnx.helper.make_node("DequantizeLinear", inputs, [OUTPUT]))


def _skip_back(graph: Graph, value: str, kinds: tuple[str, ...]) -> str:
    """Remove nodes of these kinds, going back from `value`; return the first other's output."""
    while (node := graph.producer(value)) is not None and node.op_type in kinds:
        value = node.input[0]
        graph.nodes.remove(node)
    return value


def _skip_scaling(graph: Graph, value: str) -> tuple[str, bool]:
    """Remove a multiplication by 255 and an addition of one half, which come at the end where a
    nonlinearity keeps them out of the convolutions; return what they read, and whether they were.
    """
    half = graph.producer(value)
    if half is None or half.op_type != "Add" or _scalar(graph, half) != _ROUNDING:
        return value, False
    peak = graph.producer(half.input[0])
    if peak is None or peak.op_type != "Mul" or _scalar(graph, peak) != _PEAK:
        return value, False
    graph.nodes.remove(half)
    graph.nodes.remove(peak)
    return peak.input[0], True


def _scalar(graph: Graph, node: onnx.NodeProto) -> float | None:
    """The stored number that is the second operand of a node, if it is one."""
    value = graph.constants.get(node.input[1])
    return None if value is None or value.ndim else float(value)


def _unfold_output(graph: Graph, tail: _Tail) -> None:
    order = tail.swapped_channels()
    factor, rounding = (1 / _PEAK, _ROUNDING) if tail.folded else (1.0, 0.0)
    for conv in _last_convolutions(graph, tail.value):
        _change(graph, conv, 1, order, factor=factor)
        if len(conv.input) > 2:
            _change(graph, conv, 2, order, factor=factor, offset=-rounding)
            rounding = 0.0  # it was added once


def _last_convolutions(graph: Graph, value: str) -> list[onnx.NodeProto]:
    """The convolutions whose sum is `value`, but for what treats all channels alike."""
    node = graph.producer(value)
    while node is not None and (node.op_type == "Tanh" or _is_by_a_number(graph, node)):
        node = graph.producer(node.input[0])
    if node is not None and node.op_type == "Add":
        return [conv for part in node.input for conv in _last_convolutions(graph, part)]
    if node is None:
        raise _NotPlainError(f"{value} is not computed by a convolution")
    return [node]


def _is_by_a_number(graph: Graph, node: onnx.NodeProto) -> bool:
    return node.op_type in ("Add", "Mul") and _scalar(graph, node) is not None


def _change(
    graph: Graph,
    conv: onnx.NodeProto,
    position: int,
    order: NDArray[np.int64],
    *,
    axis: int = 0,
    factor: float = 1.0,
    offset: float = 0.0,
) -> None:
    """Reorder the weight (1) or bias (2) of an ungrouped convolution along an axis; then it becomes
    (value + offset) · factor. Codes are reordered with their steps, and the steps multiplied.
    """
    if conv.op_type != "Conv" or attributes(conv).get("group", 1) != 1:
        raise _NotPlainError(f"{conv.op_type} at one of its ends is no plain convolution")
    holder = graph.producer(conv.input[position])
    if holder is None:
        values = _stored(graph, conv.input[position])
        _check_count(values, axis, order)
        changed = (values.take(order, axis).astype(np.float32) + offset) * factor
        _store(graph, conv, position, changed.astype(values.dtype))
        return
    if holder.op_type != "DequantizeLinear" or offset:
        raise _NotPlainError(f"{conv.input[position]} is not stored in the file")
    codes, *others = (_stored(graph, name) for name in holder.input)
    _check_count(codes, axis, order)
    _store(graph, holder, 0, codes.take(order, axis))
    for index, values in enumerate(others, start=1):  # the step, the zero point
        ordered = values.take(order) if axis == 0 and values.size > 1 else values
        _store(graph, holder, index, ordered * np.float32(factor) if index == 1 else ordered)


def _check_count(values: NDArray[Any], axis: int, order: NDArray[np.int64]) -> None:
    if values.shape[axis] != len(order):
        side = "makes" if axis == 0 else "reads"
        raise _NotPlainError(f"a convolution at its ends {side} {values.shape[axis]} channels")


def _stored(graph: Graph, name: str) -> NDArray[Any]:
    if name not in graph.constants:
        raise _NotPlainError(f"{name} is not stored in the file")
    return graph.constants[name]


def _store(graph: Graph, node: onnx.NodeProto, position: int, values: NDArray[Any]) -> None:
    # Under a new name, since another node may use the old one.
    name = f"{node.input[position]}_{OUTPUT}_{len(graph.constants)}"
    node.input[position] = graph.set_constant(name, values, values.dtype)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    return dim.dim_param or dim.dim_value
