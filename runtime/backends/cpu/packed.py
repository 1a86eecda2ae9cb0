"""Rewrites a model's pixel-shuffle tail so that it ends in packed uint8 channels.

ONNX Runtime's CPU provider does the depth-to-space and the change to NHWC element by element in
float32. Clamping and casting first and letting vectorised copies on the host do the reshuffle (see
`reshuffle`) turns tens of milliseconds into one for a 1920×1080 output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    The output becomes `packed`, uint8 N×(3·s²)×H×W: channel (c·s + r)·s + k is colour c of sub-row
    r and sub-column k. Values are the same bits, since casting truncates as Floor does.

    Returns:
        False, with the model unchanged, if it has no such tail.
    """
    import onnx

    tail = _find_tail(model, scale)
    if tail is None:
        return False
    graph = model.graph
    for node in tail.nodes:
        graph.node.remove(node)
    operator = "Identity" if tail.is_uint8 else "Cast"
    last = onnx.helper.make_node(operator, [tail.clamped], [PACKED])
    if not tail.is_uint8:
        last.attribute.append(onnx.helper.make_attribute("to", onnx.TensorProto.UINT8))
    graph.node.append(last)
    h, w = list(graph.input[0].type.tensor_type.shape.dim)[1:3]
    n = graph.output[0].type.tensor_type.shape.dim[0]  # of a model of several frames another N
    packed = onnx.helper.make_tensor_value_info(PACKED, onnx.TensorProto.UINT8, [0, 0, 0, 0])
    dims = packed.type.tensor_type.shape.dim
    dims[0].CopyFrom(n)
    dims[1].dim_value = 3 * scale * scale
    dims[2].CopyFrom(h)
    dims[3].CopyFrom(w)
    del graph.output[:]
    graph.output.append(packed)
    del graph.value_info[:]
    return True


def _find_tail(model: onnx.ModelProto, scale: int) -> _Tail | None:
    import onnx

    graph = model.graph
    producers = {output: node for node in graph.node for output in node.output}
    uses: dict[str, int] = {}
    for node in graph.node:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1

    nodes: list[onnx.NodeProto] = []
    value = graph.output[0].name
    steps = (
        ("Cast", {"to": onnx.TensorProto.UINT8}),
        ("Transpose", {"perm": [0, 2, 3, 1]}),
        ("DepthToSpace", {"blocksize": scale, "mode": b"CRD"}),
    )
    last = producers.get(value)
    is_uint8 = last is not None and last.op_type == "Transpose"
    for op, attributes in steps[1:] if is_uint8 else steps:
        node = producers.get(value)
        allowed = 0 if value == graph.output[0].name else 1
        if node is None or node.op_type != op or uses.get(value, 0) > allowed:
            return None
        found = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if any(found.get(key) != expected for key, expected in attributes.items()):
            return None
        nodes.append(node)
        value = node.input[0]
    if is_uint8:
        quantise = producers.get(value)
        if quantise is None or quantise.op_type != "QuantizeLinear" or uses[value] != 1:
            return None
        return _Tail(tuple(nodes), value, is_uint8)
    whole = producers.get(value)
    if whole is not None and _keeps_codes(whole, graph) and uses[value] == 1:
        quantise = producers.get(whole.input[0])
        if quantise is None or quantise.op_type != "QuantizeLinear" or uses[whole.input[0]] != 1:
            return None
        return _Tail((*nodes, whole), whole.input[0], is_uint8=True)
    floor = producers.get(value)
    if floor is not None and floor.op_type == "Floor" and uses[value] == 1:
        nodes.append(floor)
        value = floor.input[0]
    clip = producers.get(value)
    if clip is None or clip.op_type != "Clip":
        return None
    return _Tail(tuple(nodes), value, is_uint8)


def _keeps_codes(node: onnx.NodeProto, graph: onnx.GraphProto) -> bool:
    """Whether a node makes uint8 codes floats of the same value."""
    import onnx

    if node.op_type != "DequantizeLinear" or len(node.input) != 3:
        return False
    values = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer if not t.dims}
    step, zero = (values.get(name) for name in node.input[1:])
    if step is None or zero is None:
        return False
    return step.item() == 1 and zero.item() == 0 and zero.dtype == "uint8"
