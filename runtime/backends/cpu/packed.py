"""Rewrites a model's pixel-shuffle tail so that it ends in packed whole numbers.

ONNX Runtime's CPU provider does the depth-to-space and the change to NHWC element by element in
float32. Clamping and casting first and letting vectorised copies on the host do the reshuffle (see
`reshuffle`) turns tens of milliseconds into one for a 1920×1080 output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...models.graph import Graph, attributes

if TYPE_CHECKING:
    import onnx

PACKED = "packed"


@dataclass(frozen=True)
class _Tail:
    """The nodes after the clamp (or quantisation), and its output."""

    nodes: tuple[onnx.NodeProto, ...]
    clamped: str
    is_uint8: bool


def pack_tail(model: onnx.ModelProto, scale: int) -> bool:
    """Replace Clip → [Floor] → DepthToSpace → Transpose → Cast by Clip → Cast, in place.

    An int8 model's QuantizeLinear → DepthToSpace → Transpose, uint8 already, ends after the first,
    and so it does where a DequantizeLinear of step 1 and a Cast lie between and behind.
    The output becomes `packed`, uint8 or uint16 as it was, N×(3·s²)×H×W: channel (c·s + r)·s + k
    is colour c of sub-row r and sub-column k. Values are the same bits, since casting truncates
    as Floor does.

    Returns:
        False, with the model unchanged, if it has no such tail.
    """
    import onnx

    graph = Graph(model.graph)
    tail = _find_tail(graph, scale, model.graph.output[0].type.tensor_type.elem_type)
    if tail is None:
        return False
    graph.nodes = [node for node in graph.nodes if node not in tail.nodes]
    operator = "Identity" if tail.is_uint8 else "Cast"
    kind = model.graph.output[0].type.tensor_type.elem_type
    to = None if tail.is_uint8 else kind  # None is left out
    graph.nodes.append(onnx.helper.make_node(operator, [tail.clamped], [PACKED], to=to))
    h, w = list(model.graph.input[0].type.tensor_type.shape.dim)[1:3]
    n = model.graph.output[0].type.tensor_type.shape.dim[0]  # another N for several frames
    packed = onnx.helper.make_tensor_value_info(PACKED, kind, [0, 0, 0, 0])
    dims = packed.type.tensor_type.shape.dim
    dims[0].CopyFrom(n)
    dims[1].dim_value = 3 * scale * scale
    dims[2].CopyFrom(h)
    dims[3].CopyFrom(w)
    del model.graph.output[:]
    model.graph.output.append(packed)
    graph.write_to(model.graph)
    return True


def _find_tail(graph: Graph, scale: int, kind: int) -> _Tail | None:
    """The tail of a graph whose output is of that type."""
    nodes: list[onnx.NodeProto] = []
    value = graph.output
    steps: tuple[tuple[str, dict[str, object]], ...] = (
        ("Cast", {"to": kind}),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("DepthToSpace", {"blocksize": scale, "mode": b"CRD"}),
    )
    is_uint8 = graph.producer(value, "Transpose") is not None
    for operator, expected in steps[1:] if is_uint8 else steps:
        node = graph.producer(value, operator)
        if node is None or not expected.items() <= attributes(node).items():
            return None
        if len(graph.consumers(value)) > len(nodes[-1:]):
            return None
        nodes.append(node)
        value = node.input[0]
    whole = graph.producer(value, "DequantizeLinear")
    if not is_uint8 and whole is not None and _keeps_codes(graph, whole):
        if not graph.only_for(value, nodes[-1]):
            return None
        nodes.append(whole)
        value, is_uint8 = whole.input[0], True
    if is_uint8:
        quantised = graph.producer(value, "QuantizeLinear") is not None
        ends = quantised and graph.only_for(value, nodes[-1])
        return _Tail(tuple(nodes), value, is_uint8) if ends else None
    floor = graph.producer(value, "Floor")
    if floor is not None and graph.only_for(value, nodes[-1]):
        nodes.append(floor)
        value = floor.input[0]
    return _Tail(tuple(nodes), value, is_uint8) if graph.producer(value, "Clip") else None


def _keeps_codes(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether a node makes uint8 codes floats of the same value."""
    step, zero = (graph.constants.get(name) for name in (*node.input, "", "")[1:3])
    if step is None or zero is None or step.ndim or zero.ndim or len(node.input) != 3:
        return False
    return bool(step == 1 and zero == 0 and zero.dtype == "uint8")
