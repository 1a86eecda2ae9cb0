"""Static Q/DQ int8: per-channel symmetric weights, activations calibrated on frames.

Two forms, since what reads them differs:

- `symmetric`, for TensorRT, which takes int8 with zero point 0 only and uint8 at the ends only:
  quantised are the inputs of all convolutions but those that read the frames; ends stay float.
- otherwise, for ONNX Runtime's CPU provider, which is fastest with uint8 activations on int8
  weights (AVX512-VNNI and its kin multiply just that): frames are read as they are (step 1), ReLU
  is the saturation of its convolution's output, and where a convolution is last its output is
  uint8 code values at once, so that nothing is computed in float.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from ...runtime.models.graph import Graph
from .calibration import Calibrated
from .equalise import FRAMES, is_plain_conv

LEVELS, LEVELS_U8 = "levels", "levels_u8"  # what is clamped at the end, and as uint8


def quantise(
    calibrated: Calibrated, share: float, *, symmetric: bool, float_shuffle: bool = False
) -> onnx.ModelProto:
    """The Q/DQ form of a calibrated network; see the module docstring for `symmetric`.

    `float_shuffle` is for releases of ONNX Runtime that have no DepthToSpace of uint8: the code
    values are float there.
    """
    return _Quantiser(calibrated, share, symmetric, float_shuffle).build()


class _Quantiser:
    """Puts Q/DQ pairs into a copy of the graph."""

    def __init__(
        self, calibrated: Calibrated, share: float, symmetric: bool, float_shuffle: bool
    ) -> None:
        self._calibrated = calibrated
        self._weights = dict(calibrated.weights)
        self._share = share
        self._symmetric = symmetric
        self._float_shuffle = float_shuffle
        self._graph = Graph(calibrated.model.graph)
        self._nodes: list[onnx.NodeProto] = []
        self._steps: dict[str, float] = {}  # of the activations that are quantised
        self._renamed: dict[str, str] = {}  # activation → its dequantised value

    def build(self) -> onnx.ModelProto:
        graph = self._graph
        nodes = graph.nodes
        plain = {node.output[0] for node in nodes if is_plain_conv(graph, node)}
        if not self._symmetric:
            nodes = self._uint8_ends(nodes, plain)
        wanted = self._wanted(nodes, plain)
        for node in nodes:
            for index, name in enumerate(node.input):
                node.input[index] = self._renamed.get(name, name)
            # TensorRT reads the frames in float.
            if node.output[0] in plain and not (self._symmetric and FRAMES in node.input):
                self._quantise_conv(node)
            self._nodes.append(node)
            if node.output[0] in wanted:
                self._quantise_output(node)
        return self._model()

    def _uint8_ends(self, nodes: list[onnx.NodeProto], plain: set[str]) -> list[onnx.NodeProto]:
        """Frames enter by a DequantizeLinear of step 1; ReLU and clamp become saturation."""
        graph = self._graph
        head = [
            helper.make_node("Transpose", ["frames"], ["frames_u8"], "to_nchw", perm=[0, 3, 1, 2]),
            self._dequantise("frames_u8", FRAMES, 1.0, np.array(0, np.uint8)),
        ]
        self._steps[FRAMES] = 1.0
        kept = [node for node in nodes if node.output[0] not in ("frames_float", FRAMES)]
        for node in list(kept):
            alone = len(graph.consumers(node.input[0])) == 1
            if node.op_type == "Relu" and node.input[0] in plain and alone:
                conv = graph.producer(node.input[0])
                assert conv is not None
                self._rename_output(conv, node.output[0], plain)
                kept.remove(node)
        return head + self._uint8_tail(kept, plain)

    def _uint8_tail(self, nodes: list[onnx.NodeProto], plain: set[str]) -> list[onnx.NodeProto]:
        by_name = {node.name: node for node in nodes}
        clamp = by_name["clamp"]
        conv = self._graph.producer(clamp.input[0])
        if conv is None or conv.output[0] not in plain:
            return nodes
        if len(self._graph.consumers(conv.output[0])) != 1:
            return nodes
        self._rename_output(conv, LEVELS, plain)
        kept, after = nodes[: nodes.index(clamp)], nodes[nodes.index(by_name["round"]) + 1 :]
        *shuffle, transpose, cast = after
        if shuffle and self._float_shuffle:
            whole = self._dequantise(LEVELS_U8, f"{LEVELS}_whole", 1.0, np.array(0, np.uint8))
            after[0].input[0] = whole.output[0]
            return [*kept, whole, *after]
        after[0].input[0] = LEVELS_U8
        transpose.output[0] = cast.output[0]
        return [*kept, *after[:-1]]

    def _rename_output(self, conv: onnx.NodeProto, name: str, plain: set[str]) -> None:
        plain.discard(conv.output[0])
        self._weights[name] = self._weights[conv.output[0]]
        conv.output[0] = name
        plain.add(name)

    def _quantise_conv(self, conv: onnx.NodeProto) -> None:
        """Weights (and biases, for ONNX Runtime) as constants with a DequantizeLinear."""
        graph, name = self._graph, conv.output[0]
        codes, step, correction = self._weights[name]
        bias = correction.copy()
        if len(conv.input) > 2:
            bias += graph.constant(conv.input[2])
        if name == LEVELS:
            bias -= 0.5  # QuantizeLinear rounds by itself
        source = conv.input[0]
        del conv.input[1:]
        self._constant(f"{name}.codes", codes)
        weight = self._dequantise(
            f"{name}.codes", f"{name}.weight", step, np.zeros(len(step), np.int8), 0
        )
        self._nodes.append(weight)
        if self._symmetric:
            graph.set_constant(f"{name}.bias", bias)
        else:
            # The bias is added to sums of products, whose step is that of weights times inputs.
            unit = step * np.float32(self._steps[_root(source)])
            whole = np.rint(bias / unit).clip(-(2**31), 2**31 - 1).astype(np.int32)
            self._constant(f"{name}.bias_codes", whole)
            self._nodes.append(
                self._dequantise(
                    f"{name}.bias_codes", f"{name}.bias", unit, np.zeros(len(unit), np.int32), 0
                )
            )
        conv.input.extend([f"{name}.weight", f"{name}.bias"])

    def _wanted(self, nodes: list[onnx.NodeProto], plain: set[str]) -> set[str]:
        """The values to quantise: what convolutions read, and for ONNX Runtime, which then runs
        them wholly in integers, what they compute on the way to another convolution.
        """
        wanted = {node.input[0] for node in nodes if node.output[0] in plain} - {FRAMES}
        if self._symmetric:
            return wanted
        leads_to_conv: set[str] = set()
        for node in reversed(nodes):
            if node.output[0] in plain or node.output[0] in leads_to_conv:
                leads_to_conv.update(node.input)
        return wanted | (plain & leads_to_conv) | (plain & {LEVELS})

    def _quantise_output(self, node: onnx.NodeProto) -> None:
        name = node.output[0]
        step, zero = self._step_of(name)
        self._steps[name] = step
        codes = f"{name}_s8" if self._symmetric else f"{name}_u8"
        inputs = [name, *self._grid(codes, np.array(step, np.float32), np.array(zero))]
        self._nodes.append(helper.make_node("QuantizeLinear", inputs, [codes], f"quantise_{name}"))
        if name != LEVELS:
            self._nodes.append(self._dequantise(codes, f"{name}_dq", step, np.array(zero)))
            self._renamed[name] = f"{name}_dq"

    def _step_of(self, name: str) -> tuple[float, np.int8 | np.uint8]:
        if name == LEVELS:
            return 1.0, np.uint8(0)
        low, high = self._calibrated.limits(name, self._share)
        if self._symmetric:
            return max(-low, high) / 127, np.int8(0)
        step = (high - low) / 255
        return step, np.uint8(np.clip(np.rint(-low / step), 0, 255))

    def _dequantise(
        self,
        codes: str,
        name: str,
        step: float | NDArray[np.float32],
        zero: NDArray[np.integer],
        axis: int | None = None,
    ) -> onnx.NodeProto:
        inputs = [codes, *self._grid(codes, np.array(step, np.float32), zero)]
        node = helper.make_node("DequantizeLinear", inputs, [name], f"dequantise_{name}")
        if axis is not None:
            node.attribute.append(helper.make_attribute("axis", axis))
        return node

    def _grid(self, key: str, step: NDArray[np.float32], zero: NDArray[np.integer]) -> list[str]:
        self._constant(f"{key}.step", step)
        self._constant(f"{key}.zero", zero)
        return [f"{key}.step", f"{key}.zero"]

    def _constant(self, name: str, value: NDArray[np.generic]) -> None:
        self._graph.constants[name] = value

    def _model(self) -> onnx.ModelProto:
        model = onnx.ModelProto()
        model.CopyFrom(self._calibrated.model)
        self._graph.nodes = self._nodes
        self._graph.write_to(model.graph)
        return onnx.shape_inference.infer_shapes(model, strict_mode=True)


def _root(name: str) -> str:
    return name.removesuffix("_dq")
