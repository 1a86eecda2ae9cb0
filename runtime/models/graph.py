"""Look-ups and edits on an ONNX graph's nodes and constants, for all that rewrites graphs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .tensors import all_nodes

if TYPE_CHECKING:
    import onnx

Array = NDArray[Any]


class Graph:
    """A copy of a graph as lists that are easy to change; `nodes` stay in topological order."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        import onnx

        source = onnx.GraphProto()
        source.CopyFrom(graph)
        self.input: str = source.input[0].name
        self.output: str = source.output[0].name
        self.nodes: list[onnx.NodeProto] = list(source.node)
        self.constants: dict[str, Array] = {
            tensor.name: np.array(onnx.numpy_helper.to_array(tensor))
            for tensor in source.initializer
        }

    def constant(self, name: str) -> NDArray[np.float32]:
        """A constant as float32."""
        return self.constants[name].astype(np.float32)

    def set_constant(self, name: str, value: Array | float, dtype: DTypeLike = np.float32) -> str:
        """Keep `value` as a constant; its name."""
        self.constants[name] = np.array(value, dtype, order="C")
        return name

    def unused(self, name: str) -> str:
        """`name`, with a number behind it if a node, a value or a constant is called so already."""
        values = [name for node in self.nodes for name in (node.name, *node.output)]
        taken = {*self.constants, *values, self.input}
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        return free

    def used_tensors(self) -> list[onnx.TensorProto]:
        """The constants that some node reads, as initializers; what a node computes is none."""
        import onnx

        nodes = list(all_nodes(onnx.helper.make_graph(self.nodes, "", [], [])))
        used = {name for node in nodes for name in node.input}
        used -= {name for node in nodes for name in node.output}
        return [
            onnx.numpy_helper.from_array(value, name)
            for name, value in self.constants.items()
            if name in used
        ]

    def write_to(self, graph: onnx.GraphProto) -> None:
        """Make `graph` one of these nodes and constants; the shapes of its values are forgotten."""
        del graph.node[:], graph.initializer[:], graph.value_info[:]
        graph.node.extend(self.nodes)
        graph.initializer.extend(self.used_tensors())

    def producer(self, name: str, operator: str = "") -> onnx.NodeProto | None:
        """The node that computes a value, if it is that operator; None for input and constants."""
        node = next((node for node in self.nodes if name in node.output), None)
        return None if node is None or operator not in ("", node.op_type) else node

    def consumers(self, name: str) -> list[onnx.NodeProto]:
        """The nodes that read a value."""
        return [node for node in self.nodes if name in node.input]

    def reader(self, name: str, operator: str) -> onnx.NodeProto | None:
        """The node that alone reads a value, if it is that operator."""
        readers = self.consumers(name)
        return readers[0] if [node.op_type for node in readers] == [operator] else None

    def only_for(self, name: str, reader: onnx.NodeProto) -> bool:
        """Whether a value is read by that node alone."""
        return self.consumers(name) == [reader] and name != self.output

    def data_inputs(self, node: onnx.NodeProto) -> list[str]:
        """The inputs of a node that are no constants."""
        return [name for name in node.input if name and name not in self.constants]

    def replace_uses(self, old: str, new: str) -> None:
        """Let every reader of `old` read `new`."""
        for node in self.nodes:
            for index, name in enumerate(node.input):
                if name == old:
                    node.input[index] = new

    def conv_parameters(
        self, conv: onnx.NodeProto
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Own copies of a Conv's weight and bias, from here on used by this node alone."""
        weight = self.constant(conv.input[1])
        held = len(conv.input) > 2 and conv.input[2]
        bias = self.constant(conv.input[2]) if held else np.zeros(len(weight), np.float32)
        name = conv.name or conv.output[0]
        del conv.input[1:]
        conv.input.extend([f"{name}.weight", f"{name}.bias"])
        return weight, bias

    def set_conv_parameters(
        self, conv: onnx.NodeProto, weight: NDArray[np.floating], bias: NDArray[np.floating]
    ) -> None:
        """Give a Conv, after `conv_parameters`, these weights."""
        self.set_constant(conv.input[1], weight)
        self.set_constant(conv.input[2], bias)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes by name."""
    import onnx

    values = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    return {name: value for name, value in values.items() if value is not None}  # damaged ones
