"""Operators that TensorRT takes with limits only, which are the table `limits` of targets.toml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from ...runtime.models.graph import attributes
from .targets import facts
from .typed_graph import TypedGraph


def limit_problems(node: onnx.NodeProto, graph: TypedGraph) -> Iterator[str]:
    """What of a node of the graph lies outside its operator's limits."""
    limits: dict[str, Any] = facts()["tensorrt"]["limits"].get(node.op_type, {})
    found = attributes(node)
    for name, allowed in limits.get("attributes", {}).items():
        value = found.get(name, limits.get("defaults", {}).get(name, allowed[0]))
        if not set(_values(value)) <= set(allowed):
            yield f"{name} must be {' or '.join(map(str, allowed))}"
    for name in limits.get("without", []):
        if name in found:
            yield f"{name} is not taken"
    if len([name for name in node.output if name]) > limits.get("outputs", len(node.output)):
        yield f"only {limits['outputs']} of its outputs is taken"
    for kind, values in (("constant", graph.computed), ("of_shapes", graph.varying)):
        for index, name in limits.get(kind, {}).items():
            if len(node.input) > int(index) and node.input[int(index)] in values:
                words = "constant" if kind == "constant" else "constant, or computed from shapes"
                yield f"its {name} must be {words}"
    refused = {getattr(onnx.TensorProto, name) for name in limits.get("refused_types", [])}
    taken = graph.types.get(node.input[0], 0) if node.input else 0
    if taken in refused:
        yield f"does not take {onnx.TensorProto.DataType.Name(taken).lower()}"


def _values(value: object) -> list[object]:
    if isinstance(value, bytes):
        return [value.decode()]
    return list(value) if isinstance(value, (list, tuple)) else [value]
