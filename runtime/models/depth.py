"""Gives a float model ends for frames of another depth, which the same network takes as well.

A float network computes with numbers that have more than 8 bits; only the ends of its graph know
the depth of the frames. The factor 257, between 0–255 and 0–65535, goes into the convolutions at
the ends where it can. Half precision keeps about 11 bits of a value between its ends.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ...common.errors import ModelError
from .contract import DEEP_BITS
from .file import ModelSpec
from .graph import Graph, attributes

if TYPE_CHECKING:
    import onnx

_WHITE = {8: 255.0, DEEP_BITS: 65535.0}
_ROUNDING = 0.5  # that an exported graph adds before it cuts off what is behind the point
_MOVES = ("DepthToSpace", "Identity", "Transpose")


def depth_problem(spec: ModelSpec, bits: int) -> str | None:
    """Why a model cannot take frames of 8 or 16 bits, with what to do; None if it can."""
    if spec.depth == bits:
        return None
    if spec.precision == "int8":
        return f"{spec.name} is int8, which has 8 bits: use the same network without int8"
    graph = Graph(spec.model().graph)
    if find_head(graph) is None or _find_clip(graph, spec.depth) is None:
        return (
            f"{spec.name} takes {spec.depth} bits only: its graph does not end as exported ones do"
        )
    return None


def at_bits(spec: ModelSpec, bits: int) -> ModelSpec:
    """The model with ends for uint8 frames, or for uint16 frames of the full range, 0 to 65535.

    Raises ModelError: it has another depth only, see `depth_problem`.
    """
    if spec.depth == bits:
        return spec
    problem = depth_problem(spec, bits)
    if problem is not None:
        raise ModelError(problem)
    model = spec.model()
    set_depth(model, spec.depth, bits)
    return changed(spec, model, metadata={**spec.metadata, "depth": str(bits)})


def set_depth(model: onnx.ModelProto, before: int, bits: int) -> None:
    """Make a float model for frames of `before` bits one for frames of `bits`, 8 or 16, in place.

    Raises ModelError: its ends are not those of exported models.
    """
    import onnx

    graph = Graph(model.graph)
    head, clip = find_head(graph), _find_clip(graph, before)
    last = graph.producer(graph.output, "Cast")
    if head is None or clip is None or last is None:
        raise ModelError("the graph does not begin and end like that of an exported model")
    factor = _WHITE[bits] / _WHITE[before]
    rounds = any(node.op_type == "Round" for node in graph.consumers(clip.output[0]))
    _enter(graph, head, 1 / factor)
    _leave(graph, clip, factor, 0.0 if rounds else _ROUNDING, _WHITE[bits])
    kind = onnx.TensorProto.UINT16 if bits == DEEP_BITS else onnx.TensorProto.UINT8
    set_type(last, kind)
    last.name = f"to_uint{bits}"
    graph.write_to(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = kind


def changed(spec: ModelSpec, model: onnx.ModelProto, **changes: object) -> ModelSpec:
    """What is known of `model`, which was made of the one of `spec`."""
    data = model.SerializeToString()
    digest = hashlib.sha256(data).hexdigest()
    return replace(spec, data=data, sha256=digest, **changes)  # type: ignore[arg-type]


def find_head(graph: Graph) -> onnx.NodeProto | None:
    """The Cast that alone reads the frames."""
    return graph.reader(graph.input, "Cast")


def _find_clip(graph: Graph, bits: int) -> onnx.NodeProto | None:
    """The Clip from black to white after which code values are rounded, moved and cast."""
    node = graph.producer(graph.output, "Cast")
    passed: tuple[str, ...] = (*_MOVES, "Floor", "Round")
    while node is not None and (node.op_type in passed or node.op_type == "Cast"):
        if node.output[0] != graph.output and len(graph.consumers(node.output[0])) != 1:
            return None
        node = graph.producer(node.input[0])
    if node is None or node.op_type != "Clip" or len(node.input) != 3:
        return None
    limits = [graph.constants.get(name) for name in node.input[1:]]
    if any(limit is None or limit.size != 1 for limit in limits):
        return None
    found = [float(limit.item()) for limit in limits if limit is not None]
    return node if found == [0, _WHITE[bits]] else None


def _enter(graph: Graph, cast: onnx.NodeProto, factor: float) -> None:
    """Code values, times the factor, are those that the network takes; in float32."""
    import onnx

    kind = int(attributes(cast)["to"])
    convs = _readers(graph, cast.output[0])
    if kind == onnx.TensorProto.FLOAT and convs:
        for conv in convs:
            weight, bias = graph.conv_parameters(conv)
            graph.set_conv_parameters(conv, weight * factor, bias)
        return
    set_type(cast, onnx.TensorProto.FLOAT)
    value, after = cast.output[0], graph.nodes.index(cast) + 1
    step, scaled, levels = (graph.unused(name) for name in ("step", "scaled", "levels"))
    graph.set_constant(step, factor)
    graph.replace_uses(value, levels)
    graph.nodes[after:after] = [
        onnx.helper.make_node("Mul", [value, step], [scaled], graph.unused("from_depth")),
        onnx.helper.make_node("Cast", [scaled], [levels], to=kind),
    ]


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


def _leave(graph: Graph, clip: onnx.NodeProto, factor: float, offset: float, white: float) -> None:
    """Code values, with `offset` added to be rounded, are multiplied by the factor."""
    import onnx

    shift = offset - offset * factor  # (x + offset) · factor + shift = x · factor + offset
    value = clip.input[0]
    convs = _summed_convs(graph, value, clip)
    if convs:
        for index, conv in enumerate(convs):
            weight, bias = graph.conv_parameters(conv)
            more = shift if index == 0 else 0.0
            graph.set_conv_parameters(conv, weight * factor, bias * factor + more)
    else:
        by, plus, single, codes, raised = (
            graph.unused(name) for name in ("factor", "shift", "single", "codes", "raised")
        )
        graph.set_constant(by, factor)
        graph.set_constant(plus, shift)
        at = graph.nodes.index(clip)
        graph.nodes[at:at] = [
            onnx.helper.make_node("Cast", [value], [single], to=onnx.TensorProto.FLOAT),
            onnx.helper.make_node("Mul", [single, by], [codes]),
            onnx.helper.make_node("Add", [codes, plus], [raised]),
        ]
        clip.input[0] = raised
    clip.input[1] = graph.set_constant(graph.unused("black"), 0)
    clip.input[2] = graph.set_constant(graph.unused("white"), white)
    node: onnx.NodeProto | None = clip  # what follows is float32, too
    # Half precision holds whole numbers up to 2,048 only, and codes reach 65,535.
    while node is not None and node.output[0] != graph.output:
        node = graph.consumers(node.output[0])[0]
        if node.op_type == "Cast":
            set_type(node, onnx.TensorProto.FLOAT)


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


def set_type(cast: onnx.NodeProto, kind: int) -> None:
    """Let a Cast give another type."""
    for item in cast.attribute:
        if item.name == "to":
            item.i = kind
