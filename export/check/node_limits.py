"""Operators that TensorRT takes with limits only, which are the table `limits` of targets.toml."""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from ...runtime.models.graph import attributes
from .facts import Limits, facts
from .typed_graph import TypedGraph


def limit_problems(node: onnx.NodeProto, graph: TypedGraph) -> Iterator[str]:
    """What of a node of the graph lies outside its operator's limits."""
    limits = facts().tensorrt.limits.get(node.op_type, Limits())
    found = attributes(node)
    for name, allowed in limits.attributes.items():
        value = found.get(name, limits.defaults.get(name, allowed[0]))
        if not set(_values(value)) <= set(allowed):
            yield f"{name} must be {' or '.join(map(str, allowed))}"
    for name in limits.without:
        if name in found:
            yield f"{name} is not taken"
    outputs = len([name for name in node.output if name])
    if limits.outputs is not None and outputs > limits.outputs:
        yield f"only {limits.outputs} of its outputs is taken"
    for inputs, values, words in (
        (limits.constant, graph.computed, "constant"),
        (limits.of_shapes, graph.varying, "constant, or computed from shapes"),
    ):
        for index, name in inputs.items():
            if len(node.input) > index and node.input[index] in values:
                yield f"its {name} must be {words}"
    refused = {getattr(onnx.TensorProto, name) for name in limits.refused_types}
    taken = graph.types.get(node.input[0], 0) if node.input else 0
    if taken in refused:
        yield f"does not take {onnx.TensorProto.DataType.Name(taken).lower()}"


def _values(value: object) -> list[object]:
    if isinstance(value, bytes):
        return [value.decode()]
    return list(value) if isinstance(value, (list, tuple)) else [value]
