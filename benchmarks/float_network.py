"""The plain network inside a framelift model: float32 N×3×H×W, RGB, 0–1, in and out.

That is how super-resolution networks are commonly shipped. It is derived from the .onnx file: the
conversions at both ends and the clamp are cut away, and value range, rounding and channel order are
unfolded from the first and the last convolutions. The layers, their sizes and DepthToSpace as the
last node stay, so it is the same work between other ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.errors import ModelError

if TYPE_CHECKING:
    import onnx

INPUT = "input"
OUTPUT = "output"

_PEAK = 255.0
# The exported last convolution adds one half, so that the truncating cast rounds.
_ROUNDING = 0.5


class _NotPlainError(Exception):
    """The graph has ends that cannot be unfolded."""


@dataclass(frozen=True)
class _Tail:
    """The tensor before the pixel shuffle and how its channels become pixels."""

    value: str
    block: int
    mode: str

    def swapped_channels(self) -> NDArray[np.int64]:
        """The channel order that exchanges blue and red in the result."""
        channels = np.arange(3 * self.block**2)
        if self.mode == "DCR":
            return channels.reshape(-1, 3)[:, ::-1].ravel()
        return channels.reshape(3, -1)[::-1].ravel()


def float_network(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Derive the float network of a framelift model, which is left as it is.

    `name` is for messages. Raises ModelError for a model that does not begin and end with float32
    convolutions (with or without a pixel shuffle): there, folding cannot be undone.
    """
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(model)
    graph = result.graph
    n, h, w = (_size(dim) for dim in list(graph.input[0].type.tensor_type.shape.dim)[:3])
    try:
        first = _cut_head(graph)
        tail = _cut_tail(graph)
        _unfold_input(graph, first)
        _unfold_output(graph, tail)
    except _NotPlainError as error:
        raise ModelError(f"{name}: its float form cannot be derived ({error})") from error
    del graph.input[:], graph.output[:], graph.value_info[:], result.metadata_props[:]
    describe = onnx.helper.make_tensor_value_info
    graph.input.append(describe(INPUT, onnx.TensorProto.FLOAT, [n, 3, h, w]))
    graph.output.append(describe(OUTPUT, onnx.TensorProto.FLOAT, [n, 3, None, None]))
    onnx.checker.check_model(result)
    return result


def _cut_head(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Remove Cast and Transpose after the input; return the nodes that now read `INPUT`."""
    import onnx

    value, removed = graph.input[0].name, {}
    while len(users := _users(graph, value)) == 1 and users[0].op_type in ("Cast", "Transpose"):
        removed[users[0].op_type] = _attributes(users[0])
        value = users[0].output[0]
        graph.node.remove(users[0])
    expected = {"Cast": {"to": onnx.TensorProto.FLOAT}, "Transpose": {"perm": [0, 3, 1, 2]}}
    if removed != expected:
        raise _NotPlainError("it does not begin with a cast to float32 and a transpose to NCHW")
    for node in users:
        for index, read in enumerate(node.input):
            if read == value:
                node.input[index] = INPUT
    return users


def _cut_tail(graph: onnx.GraphProto) -> _Tail:
    """Remove the conversions and the clamp at the end; a pixel shuffle becomes the last node."""
    value = _skip_back(graph, graph.output[0].name, ("Cast", "Transpose", "Floor"))
    shuffle = _producer(graph, value)
    if shuffle is None or shuffle.op_type != "DepthToSpace":
        value = _skip_back(graph, value, ("Clip", "Floor"))
        last = _producer(graph, value)
        if last is None:
            raise _NotPlainError("it has no network between its ends")
        last.output[0] = OUTPUT
        return _Tail(OUTPUT, 1, "CRD")
    attributes = _attributes(shuffle)
    value = _skip_back(graph, shuffle.input[0], ("Clip", "Floor"))
    shuffle.input[0], shuffle.output[0] = value, OUTPUT
    return _Tail(value, attributes["blocksize"], attributes.get("mode", b"DCR").decode())


def _skip_back(graph: onnx.GraphProto, value: str, kinds: tuple[str, ...]) -> str:
    """Remove nodes of these kinds, going back from `value`; return the first other's output."""
    while (node := _producer(graph, value)) is not None and node.op_type in kinds:
        value = node.input[0]
        graph.node.remove(node)
    return value


def _unfold_input(graph: onnx.GraphProto, first: list[onnx.NodeProto]) -> None:
    for conv in first:
        weight = _parameter(graph, conv, 1)
        _set_parameter(graph, conv, 1, weight[:, ::-1] * _PEAK)


def _unfold_output(graph: onnx.GraphProto, tail: _Tail) -> None:
    order = tail.swapped_channels()
    rounding = _ROUNDING
    for conv in _last_convolutions(graph, tail.value):
        weight = _parameter(graph, conv, 1)
        if len(weight) != len(order):
            raise _NotPlainError(f"its last convolution makes {len(weight)} channels")
        _set_parameter(graph, conv, 1, weight[order] / _PEAK)
        if len(conv.input) > 2:
            bias = _parameter(graph, conv, 2)
            _set_parameter(graph, conv, 2, (bias[order] - rounding) / _PEAK)
            rounding = 0.0  # it was added once


def _last_convolutions(graph: onnx.GraphProto, value: str) -> list[onnx.NodeProto]:
    """The convolutions whose sum is `value`."""
    node = _producer(graph, value)
    if node is not None and node.op_type == "Add":
        return [conv for part in node.input for conv in _last_convolutions(graph, part)]
    if node is None:
        raise _NotPlainError(f"{value} is not computed by a convolution")
    return [node]


def _parameter(graph: onnx.GraphProto, conv: onnx.NodeProto, position: int) -> NDArray[np.float32]:
    """Weight (1) or bias (2) of an ungrouped convolution at one of the ends."""
    from onnx import numpy_helper

    if conv.op_type != "Conv" or _attributes(conv).get("group", 1) != 1:
        raise _NotPlainError(f"{conv.op_type} at one of its ends is no plain convolution")
    for tensor in graph.initializer:
        if tensor.name == conv.input[position]:
            return numpy_helper.to_array(tensor).astype(np.float32)
    raise _NotPlainError(f"{conv.input[position]} is not stored in the file")


def _set_parameter(
    graph: onnx.GraphProto, conv: onnx.NodeProto, position: int, values: NDArray[np.float32]
) -> None:
    from onnx import numpy_helper

    # Under a new name, since another node may use the old one.
    name = f"{conv.input[position]}_{OUTPUT}_{len(graph.initializer)}"
    values = np.ascontiguousarray(values, dtype=np.float32)
    graph.initializer.append(numpy_helper.from_array(values, name))
    conv.input[position] = name


def _producer(graph: onnx.GraphProto, value: str) -> onnx.NodeProto | None:
    return next((node for node in graph.node if value in node.output), None)


def _users(graph: onnx.GraphProto, value: str) -> list[onnx.NodeProto]:
    return [node for node in graph.node if value in node.input]


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    import onnx

    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str:
    return dim.dim_param or dim.dim_value
