"""Whether the values of a graph depend on what surrounds a pixel alone, to the last bit.

They must depend neither on where a pixel lies in its tensor nor on the size of the tensor. ONNX
Runtime's convolutions on processors were measured to add up in one order everywhere (see
docs/benchmarks.md); a resize computes coordinates of the whole tensor, and functions such as Tanh
have other code for the last values of a row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

_PLACELESS = frozenset(
    {
        "Add",
        "Cast",
        "Clip",
        "Concat",
        "Conv",
        "DepthToSpace",
        "DequantizeLinear",
        "Floor",
        "Identity",
        "LeakyRelu",
        "Max",
        "Min",
        "Mul",
        "PRelu",
        "QuantizeLinear",
        "Relu",
        "Round",
        "SpaceToDepth",
        "Split",
        "Sub",
        "Transpose",
    }
)


def is_placeless(graph: onnx.GraphProto) -> bool:
    """Whether all operators of a graph are known to give the same bits in every place."""
    return all(not node.domain and node.op_type in _PLACELESS for node in graph.node)
