"""Give a float network the frame contract: uint8 BGR N×H×W×3 in and out (design contract 2).

Cost is what decides the order. 1/255 and the channel order go into the first convolution's weights
where the input is read by convolutions alone, 255, the rounding offset 0.5 and the channel order
into the last convolutions'. What cannot be folded becomes one 1×1 convolution. When a DepthToSpace
is last, clamp and floor are done before it, and only moves come after. The cast to uint8 is last
of all, since TensorRT takes uint8 at a network's edges only.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from ...common.errors import ExportError
from ...runtime.models.graph import Graph, attributes
from .rewrite import nearest_skip_before_shuffle, strip_notes

ACTIVATIONS = {"Add", "Mul", "Relu", "Sigmoid", "Tanh"}
REVERSED = np.eye(3, dtype=np.float32)[::-1, :, None, None]
FrameShape = tuple[int | None, int | None, int | None]


def apply_frame_contract(
    core: onnx.ModelProto,
    scale: int,
    shape: FrameShape = (None, None, None),
    *,
    window: int = 1,
    strict: bool = True,
) -> onnx.ModelProto:
    """The contract-2 form of a network from `torch_export.export_core`; `core` is not changed.

    `shape` is (N, H, W) of the frames with None where any size is taken. A network of several
    frames takes `window` of them as its N and gives one. Raises ExportError if ONNX cannot infer
    the shapes of the result; not `strict`, it infers what it can.
    """
    graph = Graph(core.graph)
    nearest_skip_before_shuffle(graph, scale)
    _convert_input(graph)
    _convert_output(graph)
    strip_notes(graph.nodes)
    model = helper.make_model(
        helper.make_graph(graph.nodes, "framelift", [], [], graph.used_tensors()),
        opset_imports=core.opset_import,
        ir_version=core.ir_version,
        producer_name="framelift",
    )
    return with_sizes(model, scale, shape, window=window, strict=strict)


def with_sizes(
    model: onnx.ModelProto,
    scale: int,
    shape: FrameShape,
    *,
    window: int = 1,
    strict: bool = True,
) -> onnx.ModelProto:
    """A copy of a contract-2 model that takes frames of this shape, all shapes inferred again."""
    batch, height, width = (window, *shape[1:]) if window > 1 else shape
    sized = onnx.ModelProto()
    sized.CopyFrom(model)
    graph = sized.graph
    del graph.input[:], graph.output[:], graph.value_info[:]
    graph.input.append(_frames("frames", batch or "batch", height or "height", width or "width"))
    big = [
        scale * height if height else "upscaled_height",
        scale * width if width else "upscaled_width",
    ]
    pictures = 1 if window > 1 else batch or "batch"
    graph.output.append(_frames("upscaled", pictures, *big))
    try:
        return onnx.shape_inference.infer_shapes(sized, strict_mode=strict, data_prop=not strict)
    except onnx.shape_inference.InferenceError as error:
        reason = str(error).strip().splitlines()[-1]
        raise ExportError(f"ONNX cannot infer the network's shapes: {reason}") from error


def _frames(name: str, *sizes: int | str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, [*sizes, 3])


def _convert_input(graph: Graph) -> None:
    head = [
        helper.make_node(
            "Cast", ["frames"], ["frames_float"], "to_float", to=onnx.TensorProto.FLOAT
        ),
        helper.make_node(
            "Transpose", ["frames_float"], ["frames_nchw"], "to_nchw", perm=[0, 3, 1, 2]
        ),
    ]
    readers = _readers(graph, graph.input)
    if graph.output != graph.input and all(_reads_frames(graph, node) for node in readers):
        for conv in readers:
            weight, bias = graph.conv_parameters(conv)
            # Zero padding means black before and after, so scaling the weights is exact.
            graph.set_conv_parameters(conv, weight[:, ::-1] / 255, bias)
    else:
        graph.set_constant("to_rgb.weight", REVERSED / 255)
        head.append(_pointwise("frames_nchw", "rgb", "to_rgb", ["to_rgb.weight"]))
    graph.replace_uses(graph.input, head[-1].output[0])
    graph.nodes[:0] = head


def _readers(graph: Graph, value: str) -> list[onnx.NodeProto]:
    """What reads a value, seen through paddings, which repeat its pixels or add zeros."""
    readers = []
    for node in graph.consumers(value):
        padded = node.op_type == "Pad" and node.input[0] == value and node.output[0] != graph.output
        readers += _readers(graph, node.output[0]) if padded and len(node.input) == 2 else [node]
    return readers


def _reads_frames(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether the input's conversion can go into this node's weights."""
    return (
        node.op_type == "Conv"
        and attributes(node).get("group", 1) == 1
        and node.input[0] not in graph.constants
        and node.input[1] in graph.constants
    )


def _convert_output(graph: Graph) -> None:
    last = graph.producer(graph.output)
    if last is None:
        raise ExportError("the network's output is its input")
    shuffle = None
    if last.op_type == "DepthToSpace" and attributes(last).get("mode") == b"CRD":
        shuffle = last
    levels = _to_levels(graph, last.input[0] if shuffle is not None else graph.output, shuffle)
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


def _to_levels(graph: Graph, value: str, shuffle: onnx.NodeProto | None) -> str:
    """Make `value` (RGB in [0, 1], or its channels before `shuffle`) BGR code values + 0.5.

    Returns the result's name. `shuffle` is None or alone reads `value`.
    """
    block = 1 if shuffle is None else int(attributes(shuffle)["blocksize"])
    order = np.arange(3 * block**2).reshape(3, -1)[::-1].ravel()  # colour is the outermost part
    convs = _summed_convs(graph, value, shuffle)
    if convs is not None:
        for index, conv in enumerate(convs):
            weight, bias = graph.conv_parameters(conv)
            offset = 0.5 if index == 0 else 0.0
            graph.set_conv_parameters(conv, weight[order] * 255, bias[order] * 255 + offset)
        return value
    single = _conv_before_activations(graph, value, shuffle)
    if single is not None:
        weight, bias = graph.conv_parameters(single)
        graph.set_conv_parameters(single, weight[order], bias[order])
        graph.set_constant("half", 0.5)
        graph.set_constant("levels", 255)
        graph.nodes += [
            helper.make_node("Mul", [value, "levels"], ["scaled"], "to_levels"),
            helper.make_node("Add", ["scaled", "half"], ["raised"], "rounding_offset"),
        ]
        return "raised"
    graph.set_constant("to_bgr.weight", np.eye(len(order))[order, :, None, None] * 255)
    graph.set_constant("to_bgr.bias", np.full(len(order), 0.5))
    graph.nodes.append(_pointwise(value, "raised", "to_bgr", ["to_bgr.weight", "to_bgr.bias"]))
    return "raised"


def _summed_convs(
    graph: Graph, value: str, reader: onnx.NodeProto | None
) -> list[onnx.NodeProto] | None:
    """The convolutions whose plain sum `value` is, if it is one and nothing else reads them."""
    if not _read_once(graph, value, reader):
        return None
    node = graph.producer(value)
    if node is None:
        return None
    if node.op_type == "Conv" and node.input[1] in graph.constants:
        return [node]
    if node.op_type != "Add" or node.input[0] == node.input[1]:
        return None
    parts = [_summed_convs(graph, name, node) for name in node.input]
    if any(part is None for part in parts):
        return None
    return [conv for part in parts if part is not None for conv in part]


def _conv_before_activations(
    graph: Graph, value: str, reader: onnx.NodeProto | None
) -> onnx.NodeProto | None:
    """The convolution that `value` comes from by elementwise functions alike for all channels."""
    while _read_once(graph, value, reader):
        node = graph.producer(value)
        if node is None:
            return None
        if node.op_type == "Conv":
            return node if node.input[1] in graph.constants else None
        inputs = graph.data_inputs(node)
        scalars = all(
            graph.constants[name].size == 1 for name in node.input if name in graph.constants
        )
        if node.op_type not in ACTIVATIONS or len(inputs) != 1 or not scalars:
            return None
        value, reader = inputs[0], node
    return None


def _read_once(graph: Graph, value: str, reader: onnx.NodeProto | None) -> bool:
    return not graph.consumers(value) if reader is None else graph.only_for(value, reader)


def _pointwise(value: str, output: str, name: str, parameters: list[str]) -> onnx.NodeProto:
    return helper.make_node("Conv", [value, *parameters], [output], name, kernel_shape=[1, 1])
