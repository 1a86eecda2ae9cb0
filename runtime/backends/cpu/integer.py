"""Rewrites an int8 model of TensorRT's form so that ONNX Runtime's CPU provider runs it fast.

TensorRT takes int8 with zero point 0 only, so ReLU stays a node and biases stay float; ONNX Runtime
then computes every convolution in float between conversions (1.6 times the time of fp32). With
uint8 activations of the same step, ReLU is the quantiser's saturation, and with int32 biases each
convolution runs in integers (0.6 times the time). A Clip ends the uint8 codes at 127, where the
file's int8 ends: what is beyond the calibrated range is cut off as the file says, at 2 % of the
time. Results differ by rounding alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.graph import Graph

if TYPE_CHECKING:
    import onnx


INT8_LIMIT = 127


def run_in_integers(model: onnx.ModelProto) -> bool:
    """Change the model in place; False, with the model unchanged, if it is not of that form."""
    graph = Graph(model.graph)
    pairs = [pair for node in graph.nodes if (pair := _relu_quantised(graph, node)) is not None]
    if not pairs:
        return False
    limit = graph.set_constant("int8.limit_u8", INT8_LIMIT, np.uint8)
    for relu, quantise, dequantise in pairs:
        zero = graph.set_constant(f"{quantise.output[0]}.zero_u8", 0, np.uint8)
        quantise.input[0] = relu.input[0]
        for node in (quantise, dequantise):
            node.input[2] = zero
        _limit_codes(graph, quantise, limit)
        graph.nodes.remove(relu)
    for conv in [node for node in graph.nodes if node.op_type == "Conv"]:
        scales = _integer_scales(graph, conv)
        if scales is not None:
            _integer_output(graph, conv)
            _integer_bias(graph, conv, scales)
    graph.write_to(model.graph)
    return True


@dataclass(frozen=True)
class _Scales:
    """Step of a convolution's uint8 input, and of each output channel's int8 weights."""

    activation: float
    weight: NDArray[np.float32]


def _relu_quantised(
    graph: Graph, node: onnx.NodeProto
) -> tuple[onnx.NodeProto, onnx.NodeProto, onnx.NodeProto] | None:
    """A convolution's ReLU with the int8 Q/DQ pair that alone reads it."""
    if node.op_type != "Relu" or graph.reader(node.input[0], "Relu") is None:
        return None
    conv = graph.producer(node.input[0], "Conv")
    quantise = graph.reader(node.output[0], "QuantizeLinear")
    if conv is None or quantise is None or len(quantise.input) != 3:
        return None
    dequantise = graph.reader(quantise.output[0], "DequantizeLinear")
    zero = graph.constants.get(quantise.input[2])
    if dequantise is None or zero is None or zero.dtype != np.int8 or zero.any():
        return None
    same = list(dequantise.input[1:]) == list(quantise.input[1:])
    return (node, quantise, dequantise) if same else None


def _limit_codes(graph: Graph, quantise: onnx.NodeProto, limit: str) -> None:
    """Put a Clip behind a quantiser: int8 ends at 127, uint8 at 255."""
    import onnx

    name = quantise.output[0]
    quantise.output[0] = f"{name}.unlimited"
    clip = onnx.helper.make_node("Clip", [quantise.output[0], "", limit], [name])
    graph.nodes.insert(graph.nodes.index(quantise) + 1, clip)


def _integer_scales(graph: Graph, conv: onnx.NodeProto) -> _Scales | None:
    """The steps, if the convolution's input is uint8, its weights int8 and its bias float."""
    source, weight = (graph.producer(name, "DequantizeLinear") for name in conv.input[:2])
    if source is None or weight is None or len(conv.input) != 3:
        return None
    zero = graph.constants.get(source.input[2]) if len(source.input) == 3 else None
    codes, bias = graph.constants.get(weight.input[0]), graph.constants.get(conv.input[2])
    step, steps = graph.constants.get(source.input[1]), graph.constants.get(weight.input[1])
    if zero is None or zero.dtype != np.uint8 or codes is None or codes.dtype != np.int8:
        return None
    if bias is None or step is None or step.size != 1 or steps is None:
        return None
    per_output = any(item.name == "axis" and item.i == 0 for item in weight.attribute)
    if not per_output or steps.shape != bias.shape:
        return None
    return _Scales(float(step.item()), np.asarray(steps, np.float32))


def _integer_bias(graph: Graph, conv: onnx.NodeProto, scales: _Scales) -> None:
    import onnx

    name = f"{conv.output[0]}.bias"
    unit = (scales.activation * scales.weight).astype(np.float32)
    whole = np.rint(graph.constants[conv.input[2]] / unit).clip(-(2**31), 2**31 - 1)
    inputs = [
        graph.set_constant(f"{name}.int32", whole, np.int32),
        graph.set_constant(f"{name}.unit", unit),
        graph.set_constant(f"{name}.zero", np.zeros(len(unit)), np.int32),
    ]
    output = f"{name}.dequantised"
    node = onnx.helper.make_node("DequantizeLinear", inputs, [output], axis=0)
    graph.nodes.insert(graph.nodes.index(conv), node)
    conv.input[2] = output


def _integer_output(graph: Graph, conv: onnx.NodeProto) -> None:
    """Conv → Clip(0, 255) → Floor → DepthToSpace → Transpose → Cast: quantise with step 1, which
    clamps and rounds."""
    import onnx

    clip = graph.reader(conv.output[0], "Clip")
    floor = None if clip is None else graph.reader(clip.output[0], "Floor")
    shuffle = None if floor is None else graph.reader(floor.output[0], "DepthToSpace")
    transpose = None if shuffle is None else graph.reader(shuffle.output[0], "Transpose")
    cast = None if transpose is None else graph.reader(transpose.output[0], "Cast")
    if clip is None or floor is None or shuffle is None or transpose is None or cast is None:
        return
    limits = [graph.constants.get(name) for name in clip.input[1:]]
    if [None if limit is None else float(limit) for limit in limits] != [0.0, 255.0]:
        return
    raised = graph.constants[conv.input[2]]  # by 0.5, for Floor; QuantizeLinear rounds by itself
    conv.input[2] = graph.set_constant(f"{conv.input[2]}.even", raised - np.float32(0.5))
    grid = [
        graph.set_constant("levels.step_1", 1),
        graph.set_constant("levels.zero_u8", 0, np.uint8),
    ]
    quantise = onnx.helper.make_node("QuantizeLinear", [conv.output[0], *grid], ["levels_u8"])
    # Float again: ONNX Runtime before 1.21 has no DepthToSpace of uint8.
    whole = onnx.helper.make_node("DequantizeLinear", ["levels_u8", *grid], [floor.output[0]])
    graph.nodes[graph.nodes.index(clip)] = quantise
    graph.nodes[graph.nodes.index(floor)] = whole
