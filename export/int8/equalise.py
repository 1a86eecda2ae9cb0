"""Scales channels between layers so that one quantisation step suits them all.

Activations that are positively homogeneous (ReLU and its kin) let a channel be multiplied before
and divided after without changing the network: cross-layer equalisation, Nagel et al. 2019. Every
channel then fills the same range, and so has as many steps as it can.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from ...runtime.models.graph import Graph, attributes
from .calibration_frames import Frames, record

RANGE = 255.0
"""What each equalised channel reaches: a uint8 step is then 1, exactly."""

FRAMES = "frames_nchw"
"""The frames as float code values, 0 to 255, in a contract-2 model."""

_HOMOGENEOUS = {"Relu", "LeakyRelu", "PRelu"}
# A channel that hardly fires while calibrating may fire elsewhere.
_LEAST_SHARE = 0.25
# Where a channel cannot exceed this many times what was seen, its whole range is covered.
_CHEAP_BOUND = 1.25


def equalise(model: onnx.ModelProto, frames: Sequence[Frames]) -> tuple[onnx.ModelProto, set[str]]:
    """An equal model, and the names of the activations whose channels now reach RANGE.

    Channels that carry a channel of the frames are known by their weights. They reach RANGE where
    the frames are at 255, whatever `frames` show, and so stay whole code values. Of the others the
    range is what was seen: let `frames` hold the extremes, too.
    """
    graph = Graph(model.graph)
    between = [pair for node in graph.nodes if (pair := _layer_pair(graph, node)) is not None]
    names = [activation.output[0] for _, activation, _ in between]
    peaks = dict.fromkeys(names, np.zeros(0, np.float32))
    if names:
        for values in record(model, names, frames):
            for name, value in values.items():
                peak = np.abs(value).max(axis=(0, 2, 3))
                peaks[name] = np.maximum(peaks[name], peak) if peaks[name].size else peak
    bounds = {FRAMES: np.full(3, 255.0)}
    carriers = {FRAMES: np.full(3, True)}
    for conv, activation, readers in between:
        peak = peaks[activation.output[0]].astype(np.float64)
        bound = _bound(graph, conv, bounds.get(conv.input[0]))
        carries = _carries(graph, conv, carriers.get(conv.input[0]))
        carriers[activation.output[0]] = carries
        # The channel is taken to reach what was seen, if that is not next to nothing; or the proven
        # bound, where that is hardly more or the channel is a copy of the frames.
        reach = np.maximum(peak, _LEAST_SHARE * peak.max())
        cheap = bound <= _CHEAP_BOUND * np.maximum(peak, 1e-12)
        reach = np.where(cheap | carries, bound, reach)
        factor = RANGE / np.where(reach > 0, reach, 1.0)
        _scale(graph, conv, readers, factor)
        # A bound of the next layer needs inputs that are never negative, which ReLU alone ensures.
        if activation.op_type == "Relu":
            bounds[activation.output[0]] = np.minimum(bound * factor, RANGE)
    equal = onnx.ModelProto()
    equal.CopyFrom(model)
    graph.write_to(equal.graph)
    return equal, set(names)


def is_plain_conv(graph: Graph, node: onnx.NodeProto) -> bool:
    """Whether it is an ungrouped 2-D convolution with constant weights."""
    return (
        node.op_type == "Conv"
        and node.input[1] in graph.constants
        and graph.constants[node.input[1]].ndim == 4
        and attributes(node).get("group", 1) == 1
        and all(name in graph.constants for name in node.input[2:])
    )


def _layer_pair(
    graph: Graph, conv: onnx.NodeProto
) -> tuple[onnx.NodeProto, onnx.NodeProto, list[onnx.NodeProto]] | None:
    """A convolution, its activation and the convolutions that alone read that."""
    if not is_plain_conv(graph, conv):
        return None
    readers = graph.consumers(conv.output[0])
    if len(readers) != 1 or readers[0].op_type not in _HOMOGENEOUS:
        return None
    activation = readers[0]
    convs = graph.consumers(activation.output[0])
    if not convs or not all(is_plain_conv(graph, node) for node in convs):
        return None
    return conv, activation, convs


def _bound(
    graph: Graph, conv: onnx.NodeProto, inputs: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """What each output channel can reach at most, given non-negative inputs' bounds."""
    weight = graph.constant(conv.input[1]).astype(np.float64)
    if inputs is None:
        return np.full(len(weight), np.inf)
    bias = graph.constant(conv.input[2]).astype(np.float64) if len(conv.input) > 2 else 0.0
    reach: NDArray[np.float64] = bias + np.maximum(weight, 0).sum(axis=(2, 3)) @ inputs
    return np.maximum(reach, 0)


def _carries(
    graph: Graph, conv: onnx.NodeProto, inputs: NDArray[np.bool_] | None
) -> NDArray[np.bool_]:
    """Which output channels are one input channel that carries the frames, times a positive factor.

    No activation changes those: frames are never negative.
    """
    weight = graph.constant(conv.input[1])
    if inputs is None:
        return np.zeros(len(weight), np.bool_)
    bias = graph.constant(conv.input[2]) if len(conv.input) > 2 else np.zeros(len(weight))
    taps = np.count_nonzero(weight, axis=(2, 3))
    alone = (taps.sum(axis=1) == 1) & (weight.max(axis=(1, 2, 3)) > 0) & (bias == 0)
    carries: NDArray[np.bool_] = alone & inputs[taps.argmax(axis=1)]
    return carries


def _scale(
    graph: Graph,
    conv: onnx.NodeProto,
    readers: list[onnx.NodeProto],
    factor: NDArray[np.float64],
) -> None:
    # f(k · x) = k · f(x) for the activation between: what is multiplied before, the readers divide.
    weight, bias = graph.conv_parameters(conv)
    graph.set_conv_parameters(conv, weight * factor[:, None, None, None], bias * factor)
    for reader in readers:
        weight, bias = graph.conv_parameters(reader)
        graph.set_conv_parameters(reader, weight / factor[None, :, None, None], bias)
