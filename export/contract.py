"""Give a float network the frame contract: uint8 BGR N×H×W×3 in and out (design contract 2).

Cost is what decides the order. 1/255 and the channel order go into the first convolution's weights.
255, the rounding offset 0.5 and the channel order go into the last convolution's, when a
DepthToSpace follows it; clamp and floor are then done before it, and only moves come after. The
cast to uint8 is last of all, since TensorRT takes uint8 at a network's edges only.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..imaging.errors import ExportError

ELEMENTWISE = {"Add", "Mul", "Relu", "Sigmoid", "Tanh"}


def apply_frame_contract(core: onnx.ModelProto) -> onnx.ModelProto:
    """The contract-2 form of a network from `torch_export.export_core`; `core` is not changed.

    Raises ExportError if the graph does not begin or end with a convolution that the conversions
    can be folded into.
    """
    graph = _Graph(core.graph)
    _convert_input(graph)
    _convert_output(graph)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "framelift",
            [_frame_value("frames", "batch", "height", "width")],
            [_frame_value("upscaled", "batch", "upscaled_height", "upscaled_width")],
            graph.used_tensors(),
        ),
        opset_imports=core.opset_import,
        ir_version=core.ir_version,
        producer_name="framelift",
    )
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


class _Graph:
    """Look-ups and edits on a copy of a graph's nodes and constants."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        source = onnx.GraphProto()
        source.CopyFrom(graph)
        self.input: str = source.input[0].name
        self.output: str = source.output[0].name
        self.nodes = list(source.node)
        self.constants = {
            tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in source.initializer
        }

    def constant(self, name: str) -> NDArray[np.float32]:
        return self.constants[name].astype(np.float32)

    def set_constant(self, name: str, value: NDArray[np.floating] | float) -> None:
        self.constants[name] = np.array(value, np.float32, order="C")

    def used_tensors(self) -> list[onnx.TensorProto]:
        used = {name for node in self.nodes for name in node.input}
        return [
            numpy_helper.from_array(value, name)
            for name, value in self.constants.items()
            if name in used
        ]

    def producer(self, name: str) -> onnx.NodeProto:
        found: onnx.NodeProto = next(node for node in self.nodes if name in node.output)
        return found

    def consumers(self, name: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if name in node.input]

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
        self.set_constant(conv.input[1], weight)
        self.set_constant(conv.input[2], bias)


def _frame_value(name: str, batch: str, height: str, width: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [batch, height, width, 3])


def _convert_input(graph: _Graph) -> None:
    consumers = graph.consumers(graph.input)
    if len(consumers) != 1 or consumers[0].op_type != "Conv":
        raise ExportError("the network does not begin with a single convolution")
    conv = consumers[0]
    weight, bias = graph.conv_parameters(conv)
    # Zero padding stands for black before and after, so scaling the weights is exact.
    graph.set_conv_parameters(conv, weight[:, ::-1] / 255, bias)
    conv.input[0] = "frames_nchw"
    head = [
        helper.make_node(
            "Cast", ["frames"], ["frames_float"], "to_float", to=onnx.TensorProto.FLOAT
        ),
        helper.make_node(
            "Transpose", ["frames_float"], ["frames_nchw"], "to_nchw", perm=[0, 3, 1, 2]
        ),
    ]
    graph.nodes[:0] = head


def _convert_output(graph: _Graph) -> None:
    last = graph.producer(graph.output)
    shuffle = last if last.op_type == "DepthToSpace" else None
    if shuffle is not None and helper.get_node_attr_value(shuffle, "mode") != b"CRD":
        raise ExportError("the network's DepthToSpace is not of mode CRD (pixel shuffle)")
    if shuffle is None:
        levels = _levels_after_activation(graph, last)
    else:
        levels = _levels_before_shuffle(graph, shuffle)
    graph.set_constant("zero", 0)
    graph.set_constant("white", 255)
    tail = [
        helper.make_node("Clip", [levels, "zero", "white"], ["clamped"], "clamp"),
        # 0.5 was added: floor rounds. Casts alone truncate in some engines and round in others.
        helper.make_node("Floor", ["clamped"], ["rounded"], "round"),
    ]
    pixels = "rounded"
    if shuffle is not None:
        shuffle.input[0] = "rounded"
        shuffle.output[0] = pixels = "pixels"
        shuffle.name = "to_pixels"
        graph.nodes.remove(shuffle)
        tail.append(shuffle)
    tail += [
        helper.make_node("Transpose", [pixels], ["upscaled_float"], "to_nhwc", perm=[0, 2, 3, 1]),
        helper.make_node(
            "Cast", ["upscaled_float"], ["upscaled"], "to_uint8", to=onnx.TensorProto.UINT8
        ),
    ]
    graph.nodes += tail


def _levels_before_shuffle(graph: _Graph, shuffle: onnx.NodeProto) -> str:
    """Fold 255, 0.5 and the channel order into the Conv before `shuffle`; its output's name."""
    conv = graph.producer(shuffle.input[0])
    if conv.op_type != "Conv":
        raise ExportError("the network's DepthToSpace does not follow a convolution")
    weight, bias = graph.conv_parameters(conv)
    order = np.arange(len(weight)).reshape(3, -1)[::-1].ravel()  # CRD: colour is outermost
    graph.set_conv_parameters(conv, weight[order] * 255, bias[order] * 255 + 0.5)
    output: str = conv.output[0]
    return output


def _levels_after_activation(graph: _Graph, last: onnx.NodeProto) -> str:
    """Fold the channel order into the last Conv, scale after the activation; the result's name."""
    node = last
    while node.op_type in ELEMENTWISE:
        inputs = [name for name in node.input if name not in graph.constants]
        if len(inputs) != 1 or any(
            graph.constant(n).size != 1 for n in node.input if n not in inputs
        ):
            break
        node = graph.producer(inputs[0])
    if node.op_type != "Conv" or len(graph.consumers(node.output[0])) != 1:
        raise ExportError("the network does not end with a convolution and an activation")
    weight, bias = graph.conv_parameters(node)
    graph.set_conv_parameters(node, weight[::-1], bias[::-1])
    graph.set_constant("half", 0.5)
    graph.set_constant("levels", 255)
    graph.nodes += [
        helper.make_node("Mul", [last.output[0], "levels"], ["scaled"], "to_levels"),
        helper.make_node("Add", ["scaled", "half"], ["raised"], "rounding_offset"),
    ]
    return "raised"
