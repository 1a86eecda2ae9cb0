"""Why a model is never run in tiles: its first operator that looks at the whole frame."""

from __future__ import annotations

import onnx

from ...runtime.models.graph import Graph, attributes
from ...runtime.models.tensors import all_nodes

_NORMS = ("GroupNormalization", "InstanceNormalization", "MeanVarianceNormalization")
_POOLS = ("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool")
_REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceSum", "ReduceL2")
_ROWS_AND_COLUMNS = ({2, 3}, {-2, -1})


def why_whole(model: onnx.ModelProto) -> str:
    """Half a sentence: what of it looks at the whole frame, as far as its operators show."""
    graph = Graph(model.graph)
    found: dict[str, onnx.NodeProto] = {}
    for node in all_nodes(model.graph):
        if node.op_type in _NORMS:
            found.setdefault("a norm over the whole frame", node)
        elif node.op_type in _POOLS or _reduces_frames(graph, node):
            found.setdefault("global pooling", node)
        elif node.op_type in ("Softmax", "Attention"):
            found.setdefault("attention", node)
        elif node.op_type in ("TopK", "NonZero"):
            found.setdefault("sorting", node)
    if not found:
        return "every pixel may depend on the whole frame"
    causes = " and ".join(found)
    make = "makes" if len(found) == 1 else "make"
    first = next(iter(found.values()))
    return f"{causes} {make} every pixel depend on the whole frame (first: {first.op_type})"


def _reduces_frames(graph: Graph, node: onnx.NodeProto) -> bool:
    if node.op_type not in _REDUCTIONS:
        return False
    axes = attributes(node).get("axes")
    if axes is None and len(node.input) > 1:
        stored = graph.constants.get(node.input[1])
        axes = None if stored is None else stored.ravel().tolist()
    return axes is not None and set(axes) in _ROWS_AND_COLUMNS
