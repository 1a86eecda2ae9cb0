"""Gives a model ends for frames of 16 bits, which the same network takes as well as those of 8.

A float network computes with numbers that have more than 8 bits; only the ends of its graph know
the depth of the frames. The factor 257, from 0–255 to 0–65535, goes into the convolutions at the
ends where it can. Half precision keeps about 11 bits of a value between its ends.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import ModelError
from .file import DEEP_BITS, ModelSpec
from .graph import Graph, attributes

if TYPE_CHECKING:
    import onnx

_FACTOR = 257.0  # 65535 / 255
_WHITE = 65535.0
_ROUNDING = 0.5  # that an exported graph adds before it cuts off what is behind the point
_MOVES = ("DepthToSpace", "Identity", "Transpose")
_BYTES = 2


def deep_problem(spec: ModelSpec) -> str | None:
    """Why a model cannot take frames of 16 bits, with what to do; None if it can."""
    if spec.depth == DEEP_BITS:
        return None
    if spec.precision == "int8":
        return f"{spec.name} is int8, which has 8 bits: use the same network without int8"
    graph = Graph(spec.model().graph)
    if _find_head(graph) is None or _find_clip(graph) is None:
        return f"{spec.name} takes 8 bits only: its graph does not end as exported ones do"
    return None


def deepened(spec: ModelSpec) -> ModelSpec:
    """The model with ends for uint16 frames of the full range, 0 to 65535.

    Raises ModelError: it has 8 bits only, see `deep_problem`.
    """
    if spec.depth == DEEP_BITS:
        return spec
    problem = deep_problem(spec)
    if problem is not None:
        raise ModelError(problem)
    model = spec.model()
    deepen(model)
    return _changed(spec, model, metadata={**spec.metadata, "depth": str(DEEP_BITS)})


def in_bytes(spec: ModelSpec) -> ModelSpec:
    """A model of uint16 frames with ends of uint8: N×H×2W×3, the same memory.

    TensorRT has no uint16.
    """
    import onnx

    model = spec.model()
    graph = Graph(model.graph)
    head = _find_head(graph)
    cast = graph.producer(graph.output, "Cast")
    if head is None or cast is None:
        raise ModelError(f"{spec.name}: its ends are not known, so that no GPU can run it")
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
    return _changed(spec, model, frame_shape=shape)


def deepen(model: onnx.ModelProto) -> None:
    """Make a float model with ends of uint8 one of uint16, in place.

    Raises ModelError: its ends are not those of exported models.
    """
    import onnx

    graph = Graph(model.graph)
    head, clip = _find_head(graph), _find_clip(graph)
    last = graph.producer(graph.output, "Cast")
    if head is None or clip is None or last is None:
        raise ModelError("the ends of the graph are not those of an exported model")
    rounds = any(node.op_type == "Round" for node in graph.consumers(clip.output[0]))
    _enter(graph, head)
    _leave(graph, clip, 0.0 if rounds else _ROUNDING)
    _set_type(last, onnx.TensorProto.UINT16)
    graph.write_to(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.UINT16


def _changed(spec: ModelSpec, model: onnx.ModelProto, **changes: object) -> ModelSpec:
    data = model.SerializeToString()
    digest = hashlib.sha256(data).hexdigest()
    return replace(spec, data=data, sha256=digest, **changes)  # type: ignore[arg-type]


def _find_head(graph: Graph) -> onnx.NodeProto | None:
    """The Cast that alone reads the frames."""
    return graph.reader(graph.input, "Cast")


def _find_clip(graph: Graph) -> onnx.NodeProto | None:
    """The Clip to 0–255 after which code values are rounded, moved and cast."""
    node = graph.producer(graph.output, "Cast")
    passed: tuple[str, ...] = (*_MOVES, "Floor", "Round")
    while node is not None and (node.op_type in passed or node.op_type == "Cast"):
        if node.output[0] != graph.output and len(graph.consumers(node.output[0])) != 1:
            return None
        node = graph.producer(node.input[0])
    if node is None or node.op_type != "Clip" or len(node.input) != 3:
        return None
    limits = [graph.constants.get(name) for name in node.input[1:]]
    fits = [limit is not None and limit.size == 1 for limit in limits]
    if not all(fits) or [float(limit.item()) for limit in limits if limit is not None] != [0, 255]:
        return None
    return node


def _enter(graph: Graph, cast: onnx.NodeProto) -> None:
    """0–65535 becomes the 0–255 that the network takes, in float32."""
    import onnx

    kind = int(attributes(cast)["to"])
    convs = _readers(graph, cast.output[0])
    if kind == onnx.TensorProto.FLOAT and convs:
        for conv in convs:
            weight, bias = graph.conv_parameters(conv)
            graph.set_conv_parameters(conv, weight / _FACTOR, bias)
        return
    _set_type(cast, onnx.TensorProto.FLOAT)
    value, after = cast.output[0], graph.nodes.index(cast) + 1
    graph.set_constant("deep.step", 1 / _FACTOR)
    graph.replace_uses(value, "deep_levels")
    nodes = [onnx.helper.make_node("Mul", [value, "deep.step"], ["deep_scaled"], "from_16_bits")]
    nodes.append(onnx.helper.make_node("Cast", ["deep_scaled"], ["deep_levels"], to=kind))
    graph.nodes[after:after] = nodes


def _readers(graph: Graph, value: str) -> list[onnx.NodeProto]:
    """The convolutions that alone read a value, seen through transposes; [] if others do."""
    found: list[onnx.NodeProto] = []
    for node in graph.consumers(value):
        if node.op_type == "Transpose" and node.output[0] != graph.output:
            inner = _readers(graph, node.output[0])
            if not inner:
                return []
            found += inner
        elif node.op_type == "Conv" and _is_plain(graph, node) and node.input[0] == value:
            found.append(node)
        else:
            return []
    return found


def _is_plain(graph: Graph, conv: onnx.NodeProto) -> bool:
    stored = [graph.constants.get(name) for name in conv.input[1:] if name]
    return all(tensor is not None and tensor.dtype == np.float32 for tensor in stored)


def _leave(graph: Graph, clip: onnx.NodeProto, offset: float) -> None:
    """What was 0–255, with `offset` added to be rounded, becomes 0–65535 with the same."""
    import onnx

    shift = offset - offset * _FACTOR
    value = clip.input[0]
    convs = _summed_convs(graph, value, clip)
    if convs:
        for index, conv in enumerate(convs):
            weight, bias = graph.conv_parameters(conv)
            more = shift if index == 0 else 0.0
            graph.set_conv_parameters(conv, weight * _FACTOR, bias * _FACTOR + more)
    else:
        graph.set_constant("deep.factor", _FACTOR)
        graph.set_constant("deep.shift", shift)
        at = graph.nodes.index(clip)
        graph.nodes[at:at] = [
            onnx.helper.make_node("Cast", [value], ["deep_single"], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", ["deep_single", "deep.factor"], ["deep_codes"]),
            onnx.helper.make_node("Add", ["deep_codes", "deep.shift"], ["deep_raised"]),
        ]
        clip.input[0] = "deep_raised"
    clip.input[1] = graph.set_constant("deep.black", 0)
    clip.input[2] = graph.set_constant("deep.white", _WHITE)
    node: onnx.NodeProto | None = clip  # what follows is float32, too
    while node is not None and node.output[0] != graph.output:
        node = graph.consumers(node.output[0])[0]
        if node.op_type == "Cast":
            _set_type(node, onnx.TensorProto.FLOAT)


def _summed_convs(graph: Graph, value: str, reader: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The float32 convolutions whose plain sum a value is, if nothing else reads them; else []."""
    node = graph.producer(value)
    if node is None or not graph.only_for(value, reader):
        return []
    if node.op_type == "Conv":
        return [node] if _is_plain(graph, node) else []
    if node.op_type != "Add" or node.input[0] == node.input[1]:
        return []
    parts = [_summed_convs(graph, name, node) for name in node.input]
    return [conv for part in parts for conv in part] if all(parts) else []


def _read_bytes(graph: Graph, cast: onnx.NodeProto) -> None:
    """uint8 N×H×2W×3 becomes the float N×H×W×3 of its pairs of bytes, the lower one first."""
    import onnx

    kind, value = int(attributes(cast)["to"]), cast.output[0]
    graph.constants["bytes.pairs"] = np.array([0, 0, -1, 3, _BYTES], np.int64)
    graph.constants["bytes.axis"] = np.array([4], np.int64)
    graph.set_constant("bytes.places", np.array([1, 256]))
    graph.replace_uses(value, "bytes_joined")
    after = graph.nodes.index(cast) + 1
    _set_type(cast, onnx.TensorProto.FLOAT)
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
    _set_type(cast, onnx.TensorProto.UINT8)


def _set_type(cast: onnx.NodeProto, kind: int) -> None:
    for item in cast.attribute:
        if item.name == "to":
            item.i = kind
