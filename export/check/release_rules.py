"""What releases of ONNX Runtime lack that opset and IR version do not show."""

from __future__ import annotations

import onnx

from .finding import Finding, label
from .targets import shuffles_integers
from .typed_graph import TypedGraph

_INTEGERS = (onnx.TensorProto.UINT8, onnx.TensorProto.INT8)


def release_problems(graph: TypedGraph, target: str) -> list[Finding]:
    """The nodes that the release named in `target`, else the installed one, has no kernel for."""
    if shuffles_integers((target,)):
        return []
    return [
        Finding(
            True,
            (target,),
            label(node),
            "ONNX Runtime has no DepthToSpace of integers before 1.21",
            f"export it with --target {target}",
        )
        for node in graph.nodes
        if node.op_type == "DepthToSpace" and graph.types.get(node.input[0]) in _INTEGERS
    ]
