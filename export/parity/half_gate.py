"""Judges an fp16 model in half precision, every value between two operators kept in 16 bits.

ONNX Runtime's CPU provider computes fp16 in float32 and leaves out the conversions between two
operators, so that values beyond half precision's range come through unharmed. Here an Identity,
which it does not look through when its optimisations are off, follows each operator: what
the next one reads was stored in half precision, as on a GPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper

from ...common.errors import ExportError
from ...runtime.ort.library import load_onnxruntime
from ..graph.half import MAX_HALF
from .session import Frames, open_session, run_session


@dataclass(frozen=True)
class Peak:
    """The largest magnitude of a half-precision value of a model, and where it was met."""

    value: str
    frames: str
    magnitude: float

    def record(self) -> dict[str, str | float]:
        """The numbers, for the metadata."""
        return {
            "peak": self.magnitude,
            "limit": MAX_HALF,
            "value": self.value,
            "frames": self.frames,
        }


class HalfRunner:
    """Runs a contract-2 fp16 model on frames and keeps the largest value met, in `peak`."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises ExportError if ONNX Runtime refuses the model."""
        probed, self._names = _probed(model)
        level = load_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = open_session(probed, level)
        self.peak = Peak("", "", 0.0)

    def __call__(self, frames: Frames, label: str) -> Frames:
        """Run on one batch of frames; `label` says which, in errors and in `peak`.

        Raises ExportError if a value is beyond half precision's range, infinite or no number.
        """
        upscaled, *found = run_session(self._session, frames)
        for name, value in zip(self._names, np.reshape(found, (-1, 2)), strict=True):
            magnitude, remainder = (float(number) for number in value)
            if remainder != 0 or not math.isfinite(magnitude):
                raise ExportError(
                    f"in half precision `{name}` exceeds the range on {label}: the fp16 maximum is "
                    f"{MAX_HALF:,.0f}; use --precision fp32, or train the network again with "
                    "smaller values; nothing was written"
                )
            if magnitude > self.peak.magnitude:
                self.peak = Peak(name, label, magnitude)
        result: Frames = upscaled
        return result


def _probed(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """A copy that stores each half-precision value and gives two numbers of each: its largest
    magnitude, and 0 times the sum of all, which is 0 only if all are finite.
    """
    probed = onnx.shape_inference.infer_shapes(model)
    graph = probed.graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    graph.initializer.append(helper.make_tensor("probe.zero", TensorProto.FLOAT, [], [0.0]))
    nodes, names = [], []
    for node in graph.node:
        nodes.append(node)
        for index, name in enumerate(node.output):
            if types.get(name) != TensorProto.FLOAT16:
                continue
            node.output[index] = f"{name}.computed"
            nodes += [
                helper.make_node("Identity", [f"{name}.computed"], [name]),
                helper.make_node("Cast", [name], [f"{name}.single"], to=TensorProto.FLOAT),
                helper.make_node("Abs", [f"{name}.single"], [f"{name}.abs"]),
                helper.make_node("ReduceMax", [f"{name}.abs"], [f"{name}.peak"], keepdims=0),
                helper.make_node("Mul", [f"{name}.abs", "probe.zero"], [f"{name}.nothing"]),
                helper.make_node("ReduceSum", [f"{name}.nothing"], [f"{name}.rest"], keepdims=0),
            ]
            names.append(name)
    del graph.node[:]
    graph.node.extend(nodes)
    ends = [f"{name}.{end}" for name in names for end in ("peak", "rest")]
    graph.output.extend(helper.make_tensor_value_info(end, TensorProto.FLOAT, []) for end in ends)
    return probed, names
