"""The receptive-field radius of an ONNX graph, computed from its operators.

Along each axis, every element of a tensor depends on an interval of input pixels. The intervals
are propagated through the graph for an input of some length; what lies outside the image (padding)
depends on nothing. The radius is the farthest that any output pixel reaches from the input pixel
it lies on. It is exact once the input is longer than the receptive field; a graph whose reach
grows with the input has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from ...runtime.models.graph import attributes
from .operators import CHANNELWISE, ELEMENTWISE, SPATIAL, NoHaloError, Reach

# A short input is quicker. A long one follows if the receptive field does not fit into it.
_LENGTHS = (96, 768)


def graph_halo(model: onnx.ModelProto, scale: int, multiple: int = 1) -> int | None:
    """Radius in input pixels of a graph with one image in and one out, N×C×H×W or N×H×W×C.

    None if it has no finite one, or holds an operator whose reach is not known.
    """
    try:
        for length in _LENGTHS:
            side = length * multiple
            radius = max(_axis_halo(model, scale, side, axis) for axis in (0, 1))
            # In an input that is shorter than the field, the borders would cut off its reach.
            if 2 * radius + multiple < side:
                return radius
    except NoHaloError:
        pass
    return None


def _axis_halo(model: onnx.ModelProto, scale: int, length: int, axis: int) -> int:
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    index = np.arange(length)
    reaches = {model.graph.input[0].name: Reach(index, index + 1)}
    for node in model.graph.node:
        if node.op_type == "Constant":
            value = attributes(node).get("value")
            if value is not None:
                constants[node.output[0]] = numpy_helper.to_array(value)
            continue
        inputs = [reaches[name] for name in node.input if name in reaches]
        if inputs:
            reach = _node_reach(node, inputs, constants, axis)
            reaches.update(dict.fromkeys(node.output, reach))
    reach = reaches[model.graph.output[0].name]
    if len(reach.start) != scale * length:
        raise NoHaloError
    here = np.arange(scale * length) // scale  # the input pixel that each output pixel lies on
    return max(int((here - reach.start).max()), int((reach.stop - 1 - here).max()), 0)


def _node_reach(
    node: onnx.NodeProto, inputs: list[Reach], constants: dict[str, NDArray[Any]], axis: int
) -> Reach:
    if node.op_type in SPATIAL:
        return SPATIAL[node.op_type](node, inputs[0], constants, axis)
    if node.op_type == "Transpose":
        if attributes(node).get("perm") not in ([0, 3, 1, 2], [0, 2, 3, 1]):
            raise NoHaloError
        return inputs[0]
    if node.op_type in CHANNELWISE and not _is_channelwise(node, constants):
        raise NoHaloError
    if node.op_type not in ELEMENTWISE | CHANNELWISE:
        raise NoHaloError
    reach = inputs[0]
    for other in inputs[1:]:
        if len(other.start) != len(reach.start):
            raise NoHaloError
        reach = reach.joined(other)
    return reach


def _is_channelwise(node: onnx.NodeProto, constants: dict[str, NDArray[Any]]) -> bool:
    """Whether the node works along the channels of N×C×H×W alone."""
    found = attributes(node)
    axes: Any
    if node.op_type == "Slice":
        axes = constants.get(node.input[3]) if len(node.input) > 3 else None
    elif node.op_type.startswith("Reduce"):
        axes = constants.get(node.input[1]) if len(node.input) > 1 else found.get("axes")
    else:
        default = {"Concat": 1, "Gather": 0, "Split": 0}.get(node.op_type, -1)
        axes = [found.get("axis", default)]
    return axes is not None and {int(a) % 4 for a in axes} == {1}
