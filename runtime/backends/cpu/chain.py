"""The convolutions of an int8 model one by one, for parts of a frame.

A model of whole numbers from the first layer on, with a tail as of `packed`, is a chain of 3×3
convolutions from codes to codes. Each of these layers can be run alone for strips of eight pixels
in width, with one pixel around them. `kept_layers` uses that for what changed between two frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.file import ModelSpec
from ...models.graph import Graph, attributes
from ...models.remembered import Facts, remembered
from . import saturation
from .cells import AROUND, CELL
from .grouped import GROUP, group_pixels, grouped_weights
from .interleaved import interleave_tail
from .packed import pack_tail

if TYPE_CHECKING:
    import onnx

_WORD = 8  # channels are copied as words of that many bytes
_SIDE = 3  # of all convolutions


@dataclass(frozen=True)
class Chain:
    """What `layered` runs.

    Attributes:
        channels: of the input of each layer: 3, then those of the results.
        results: channels of the last layer's results, as of `interleave_tail`.
        whole: the model, serialised, with the results of the layers but the last as outputs
            `kept_name`, N×H×W×C.
        strips: layer k for itself from `strip_input(k)`, N×(R+2)×10×C, or N×(R+2)×3×12 for the
            first, to `strip_output(k)`, N×R×8×C. No layer reads another's result: those that are
            not wanted get N = 0.
    """

    channels: tuple[int, ...]
    results: int
    whole: bytes
    strips: bytes


def kept_name(layer: int) -> str:
    """The output of `Chain.whole` that layer `layer`, from 1, reads."""
    return f"kept.{layer}"


def strip_input(layer: int) -> str:
    """See `Chain.strips`."""
    return f"around.{layer}"


def strip_output(layer: int) -> str:
    """See `Chain.strips`."""
    return f"inside.{layer}"


def chain_of(spec: ModelSpec) -> Chain | None:
    """A model's chain; None if it is none, or this processor adds in 16 bits (`saturation`)."""
    if saturation.adds_in_16_bits() or spec.precision != "int8":
        return None

    def make() -> tuple[Facts, bytes]:
        found = _make(spec)
        if found is None:
            return {"channels": [], "results": 0, "split": 0}, b""
        channels, split = list(found.channels), len(found.whole)
        facts = {"channels": channels, "results": found.results, "split": split}
        return facts, found.whole + found.strips

    besides = repr((saturation.has_vnni(), spec.metadata))
    names = {"channels", "results", "split"}
    facts, data = remembered("chain", spec.data, besides, names, make)
    if not facts["channels"]:
        return None
    split = facts["split"]
    return Chain(tuple(facts["channels"]), facts["results"], data[:split], data[split:])


@dataclass(frozen=True)
class _Layer:
    """One convolution, from uint8 codes with zero 0 to such codes."""

    weight: NDArray[np.int8]
    weight_steps: NDArray[np.float32]
    bias: NDArray[np.int32]
    input_step: float
    output_step: float
    result: str
    """The codes."""


def _make(spec: ModelSpec) -> Chain | None:
    model = spec.model()
    saturation.prepare_int8(model)
    results = interleave_tail(model, spec.scale) if pack_tail(model, spec.scale) else 0
    layers = _layers(Graph(model.graph)) if results else []
    if len(layers) < 2 or len(layers[-1].weight) != results:
        return None
    channels = tuple(layer.weight.shape[1] for layer in layers)
    if channels[0] != 3 or any(count % _WORD for count in channels[1:]):
        return None
    strips = _strips(model, layers)
    if saturation.has_vnni():
        group_pixels(model)
    _keep(model, layers)
    return Chain(channels, results, model.SerializeToString(), strips.SerializeToString())


def _layers(graph: Graph) -> list[_Layer]:
    """All layers from the frames to the output; [] if there is anything else between them."""
    transpose = graph.reader(graph.input, "Transpose")
    if transpose is None or attributes(transpose).get("perm") != [0, 3, 1, 2]:
        return []
    found: list[_Layer] = []
    value = transpose.output[0]
    while (layer := _layer(graph, value)) is not None:
        found.append(layer)
        value = layer.result
    last = graph.reader(value, "Transpose")
    return found if last is not None and last.output[0] == graph.output else []


def _layer(graph: Graph, value: str) -> _Layer | None:
    """The layer that alone reads these codes."""
    dequantise = graph.reader(value, "DequantizeLinear")
    conv = None if dequantise is None else graph.reader(dequantise.output[0], "Conv")
    quantise = None if conv is None else graph.reader(conv.output[0], "QuantizeLinear")
    if dequantise is None or conv is None or quantise is None or len(conv.input) != 3:
        return None
    weight, bias = (graph.producer(name, "DequantizeLinear") for name in conv.input[1:])
    input_step, output_step = _step(graph, dequantise), _step(graph, quantise)
    if weight is None or bias is None or input_step is None or output_step is None:
        return None
    codes, steps, zeros = (graph.constants.get(name) for name in weight.input)
    whole = graph.constants.get(bias.input[0])
    if codes is None or codes.dtype != np.int8 or codes.shape[2:] != (_SIDE, _SIDE):
        return None
    if whole is None or whole.dtype != np.int32 or steps is None or steps.shape != whole.shape:
        return None
    by_output = attributes(weight).get("axis") == 0
    if zeros is None or zeros.any() or not by_output or not _keeps_size(conv):
        return None
    steps = np.asarray(steps, np.float32)
    return _Layer(codes, steps, whole, input_step, output_step, quantise.output[0])


def _step(graph: Graph, node: onnx.NodeProto) -> float | None:
    """The one step of (de)quantised uint8 codes with zero 0."""
    step, zero = (graph.constants.get(name) for name in (*node.input, "", "")[1:3])
    if step is None or zero is None or step.size != 1 or zero.dtype != np.uint8 or zero.any():
        return None
    return float(step.item())


def _keeps_size(conv: onnx.NodeProto) -> bool:
    usual = {"auto_pad": b"NOTSET", "group": 1, "strides": [1, 1], "dilations": [1, 1]}
    wanted = {**usual, "pads": [1, 1, 1, 1], "kernel_shape": [_SIDE, _SIDE]}
    return {**usual, "kernel_shape": [_SIDE, _SIDE], **attributes(conv)} == wanted


def _keep(model: onnx.ModelProto, layers: list[_Layer]) -> None:
    """Make the results of all layers but the last outputs.

    ONNX Runtime computes in that order of values: the transposes cost nothing.
    """
    import onnx

    for number, layer in enumerate(layers[:-1], 1):
        name = kept_name(number)
        model.graph.node.append(
            onnx.helper.make_node("Transpose", [layer.result], [name], perm=[0, 2, 3, 1])
        )
        shape = [None, None, None, len(layer.weight)]
        model.graph.output.append(
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, shape)
        )


@dataclass(frozen=True)
class _StripLayer:
    """One layer as it is run for strips."""

    weight: NDArray[np.int8]
    weight_steps: NDArray[np.float32]
    bias: NDArray[np.int32]
    reads: int
    """Columns of its input; of its output `writes`. Groups of pixels in the first layer."""
    writes: int


def _strip_layer(layer: _Layer, *, first: bool) -> _StripLayer:
    weight, steps, bias = layer.weight, layer.weight_steps, layer.bias
    if first:
        weight = grouped_weights(weight, -(-(_SIDE - 1) // GROUP) + 1)
        steps, bias = np.tile(steps, GROUP), np.tile(bias, GROUP)
        return _StripLayer(weight, steps, bias, -(-AROUND // GROUP), CELL // GROUP)
    return _StripLayer(weight, steps, bias, AROUND, CELL)


def _strips(model: onnx.ModelProto, layers: list[_Layer]) -> onnx.ModelProto:
    """See `Chain.strips`; with the operator that ONNX Runtime itself makes of such layers."""
    import onnx

    helper = onnx.helper
    nodes: list[onnx.NodeProto] = []
    inputs: list[onnx.ValueInfoProto] = []
    outputs: list[onnx.ValueInfoProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[np.generic]) -> str:
        constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def value(name: str, width: int, channels: int) -> onnx.ValueInfoProto:
        shape: list[str | int | None] = [f"{name}.count", f"{name}.rows", width, channels]
        return helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, shape)

    zero = constant("zero", np.array(0, np.uint8))
    for number, layer in enumerate(layers):
        part = _strip_layer(layer, first=number == 0)
        source, name = strip_input(number), strip_output(number)
        parameters = [
            constant(f"{number}.input_step", np.array(layer.input_step, np.float32)),
            zero,
            constant(f"{number}.weight", part.weight),
            constant(f"{number}.weight_steps", part.weight_steps),
            constant(f"{number}.weight_zeros", np.zeros(len(part.weight), np.int8)),
            constant(f"{number}.output_step", np.array(layer.output_step, np.float32)),
            zero,
            constant(f"{number}.bias", part.bias),
        ]
        conv = helper.make_node("QLinearConv", [source, *parameters], [name], channels_last=1)
        conv.domain = "com.microsoft"
        nodes.append(conv)
        inputs.append(value(source, part.reads, part.weight.shape[1]))
        outputs.append(value(name, part.writes, len(part.weight)))
    graph = helper.make_graph(nodes, "strips", inputs, outputs, constants)
    opsets = [*model.opset_import, helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=model.ir_version)
