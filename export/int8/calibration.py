"""Calibration: the equalised network, its rounded weights, and the range of each activation.

Activations are recorded on real frames (`calibration_frames`), weights are rounded for what these
frames show (`rounding`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray

from ...common.errors import ExportError
from ...runtime.models.graph import Graph
from .calibration_frames import Frames, record
from .equalise import RANGE, equalise, is_plain_conv
from .rounding import Statistics, quantise_weights

METHODS = {"minmax": 100.0, "percentile 99.99": 99.99, "percentile 99.9": 99.9}
"""How much of an activation's values the range covers, for those that are not equalised."""

_SAMPLES = 20_000  # values of each activation kept from each frame


@dataclass
class Calibrated:
    """An equalised network and what was learnt of it on the calibration frames."""

    model: onnx.ModelProto
    equalised: set[str]
    weights: dict[str, tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float64]]]
    samples: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    def limits(self, name: str, share: float) -> tuple[float, float]:
        """The range of an activation that holds that share (percent) of its values."""
        values = self.samples[name]
        if name in self.equalised:
            return (-RANGE if values.min() < 0 else 0.0), RANGE
        low, high = np.percentile(values, [100 - share, share])
        return min(float(low), 0.0), max(float(high), 1e-6)


def calibrate(
    model: onnx.ModelProto, frames: Sequence[Frames], extremes: Sequence[Frames] = ()
) -> Calibrated:
    """Equalise a contract-2 fp32 model and round its weights on `frames` (each 1×H×W×3).

    `extremes` widen the ranges and nothing else: what they show is not cut off, and the weights are
    rounded for what `frames` show. Raises ExportError if no convolution can be quantised.
    """
    model, equalised = equalise(model, [*frames, *extremes])
    graph = Graph(model.graph)
    convs = [node for node in graph.nodes if is_plain_conv(graph, node)]
    if not convs:
        raise ExportError("the network has no plain convolution: int8 would change nothing")
    names = _calibrated_values(graph, convs)
    kernels = {node.output[0]: graph.constant(node.input[1]).shape for node in convs}
    statistics = {out: Statistics(int(np.prod(shape[1:]))) for out, shape in kernels.items()}
    samples: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    rng = np.random.default_rng(0)
    for values in record(model, names, frames):
        for node in convs:
            shape = kernels[node.output[0]]
            statistics[node.output[0]].add(node, (shape[2], shape[3]), values[node.input[0]])
        for name, value in values.items():
            flat = value.ravel()
            picked = flat[rng.integers(0, flat.size, _SAMPLES)]
            # A sample is enough for percentiles. The extremes are kept, which it would miss.
            samples[name] += [picked, np.array([flat.min(), flat.max()])]
    for values in record(model, names, extremes):
        for name, value in values.items():
            samples[name].append(np.array([value.min(), value.max()]))
    weights = {
        node.output[0]: quantise_weights(graph.constant(node.input[1]), statistics[node.output[0]])
        for node in convs
    }
    joined = {name: np.concatenate(parts) for name, parts in samples.items()}
    return Calibrated(model, equalised, weights, joined)


def _calibrated_values(graph: Graph, convs: list[onnx.NodeProto]) -> list[str]:
    """What may get a range: inputs and outputs of convolutions, and ReLUs of them."""
    outputs = {node.output[0] for node in convs}
    relus = {
        node.output[0]
        for node in graph.nodes
        if node.op_type == "Relu" and node.input[0] in outputs
    }
    return sorted({node.input[0] for node in convs} | outputs | relus)
