"""Tiny ONNX models as other people's tools write them: float pictures N×C×H×W in and out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Dim = int | str
Array = NDArray[np.float32]


@dataclass
class Net:
    """A super-resolution network: nearest neighbour, plus what two convolutions find.

    It works in values from `black` to `white` and does not look like the frame in others.
    """

    scale: int = 2
    channels: int = 3
    black: float = 0.0
    white: float = 1.0
    half: bool = False
    opset: int = 17
    dims: tuple[Dim, ...] = ("n", "h", "w")
    order: str = ""
    """If "rgb" or "bgr", it makes red at least as bright as green, as it mostly is by itself."""
    last: str = "shuffle"
    """Or "clip": what the graph ends with."""

    def model(self) -> onnx.ModelProto:
        rng = np.random.default_rng(0)
        span, s, c = self.white - self.black, self.scale, self.channels
        dtype = np.float16 if self.half else np.float32
        weights: dict[str, NDArray[Any]] = {
            "w1": rng.normal(0, 0.2, (8, c, 3, 3)) / span,
            "b1": rng.normal(0, 0.1, 8) - 0.2 * self.black / span,
            "w2": rng.normal(0, 0.01, (c * s * s, 8, 3, 3)) * span,
            "b2": np.zeros(c * s * s),
            "repeat": np.repeat(np.eye(c), s * s, axis=0)[:, :, None, None],
            "low": np.array(self.black),
            "high": np.array(self.white),
        }
        nodes = [
            *self._first(),
            conv("x", "features", "w1", "b1", 3),
            helper.make_node("Relu", ["features"], ["active"]),
            conv("active", "residual", "w2", "b2", 3),
            conv("x", "base", "repeat", "", 1),
            helper.make_node("Add", ["base", "residual"], ["sum"]),
        ]
        shuffle: dict[str, Any] = {"blocksize": s, "mode": "CRD"}
        if self.last == "shuffle":
            nodes += [
                helper.make_node("Clip", ["sum", "low", "high"], ["clipped"]),
                helper.make_node("DepthToSpace", ["clipped"], ["output"], **shuffle),
            ]
        else:
            nodes += [
                helper.make_node("DepthToSpace", ["sum"], ["big"], **shuffle),
                helper.make_node("Clip", ["big", "low", "high"], ["output"]),
            ]
        tensors = {name: value.astype(dtype) for name, value in weights.items()}
        n, h, w = self.dims
        return build(nodes, tensors, [n, c, h, w], half=self.half, opset=self.opset)

    def _first(self) -> list[onnx.NodeProto]:
        if not self.order:
            return [helper.make_node("Identity", ["input"], ["x"])]
        red = 0 if self.order == "rgb" else 2
        parts = ["first", "second", "third"]
        kept = [*parts]
        kept[red] = "more_red"
        return [
            helper.make_node("Split", ["input"], parts, axis=1),
            helper.make_node("Max", [parts[red], "second"], ["more_red"]),
            helper.make_node("Concat", kept, ["x"], axis=1),
        ]

    def save(self, path: Path) -> Path:
        return save(self.model(), path)


def conv(value: str, output: str, weight: str, bias: str, size: int) -> onnx.NodeProto:
    inputs = [value, weight, *([bias] if bias else [])]
    return helper.make_node("Conv", inputs, [output], kernel_shape=[size] * 2, pads=[size // 2] * 4)


def build(
    nodes: list[onnx.NodeProto],
    weights: Mapping[str, NDArray[Any]],
    shape: Sequence[Dim],
    *,
    half: bool = False,
    opset: int = 17,
    ir_version: int = 8,
) -> onnx.ModelProto:
    """A model from `input` of that shape to `output` of any."""
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    out = [f"out_{axis}" for axis in range(len(shape))]
    graph = helper.make_graph(
        nodes,
        "foreign",
        [helper.make_tensor_value_info("input", kind, shape)],
        [helper.make_tensor_value_info("output", kind, out)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir_version)


def in_range(core: onnx.ModelProto, black: float, white: float) -> onnx.ModelProto:
    """A network of values from 0 to 1 as one of values from `black` to `white`."""
    model = onnx.ModelProto()
    model.CopyFrom(core)
    graph = model.graph
    entry, exit_ = graph.input[0].name, graph.output[0].name
    for node in graph.node:
        node.input[:] = ["unit_in" if name == entry else name for name in node.input]
        node.output[:] = ["unit_out" if name == exit_ else name for name in node.output]
    for name, value in {"black": black, "span": white - black}.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
    graph.node.insert(0, helper.make_node("Div", ["above", "span"], ["unit_in"]))
    graph.node.insert(0, helper.make_node("Sub", [entry, "black"], ["above"]))
    graph.node.append(helper.make_node("Mul", ["unit_out", "span"], ["spread"]))
    graph.node.append(helper.make_node("Add", ["spread", "black"], [exit_]))
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def window_net(count: int, layout: str, aligned: int, *, pictures: bool = False) -> onnx.ModelProto:
    """A x2 network of `count` frames, which shows frame `aligned` and a little of the others.

    `layout` is "stack" (N×3·T×H×W) or "sequence" (N×T×3×H×W, T of any size if `count` is 0). With
    `pictures` all frames come out, in the same layout.
    """
    frames = count or 5
    shares = np.full(frames, 0.1 / (frames - 1))
    shares[aligned] = 0.9
    per_picture = [np.roll(shares, k - aligned) for k in range(frames)] if pictures else [shares]
    kernel = np.concatenate([np.repeat(np.kron(row, np.eye(3)), 4, axis=0) for row in per_picture])[
        :, :, None, None
    ]
    weights: dict[str, NDArray[Any]] = {
        "w": kernel.astype(np.float32),
        "low": np.array(0, np.float32),
        "high": np.array(1, np.float32),
    }
    shape: list[Dim] = ["n", 3 * frames, "h", "w"]
    nodes = []
    value = "input"
    if layout == "sequence":
        shape = ["n", count or "t", 3, "h", "w"]
        nodes = [
            helper.make_node("Shape", ["input"], ["shape"]),
            helper.make_node("Gather", ["shape", "sides"], ["sides_now"]),
            helper.make_node("Concat", ["one_stack", "sides_now"], ["stack_shape"], axis=0),
            helper.make_node("Reshape", ["input", "stack_shape"], ["stack"]),
        ]
        weights |= {"sides": np.array([3, 4]), "one_stack": np.array([1, 3 * frames])}
        value = "stack"
    last = "big" if layout == "sequence" and pictures else "output"
    nodes += [
        helper.make_node("Conv", [value, "w"], ["sum"], kernel_shape=[1, 1]),
        helper.make_node("Clip", ["sum", "low", "high"], ["clipped"]),
        helper.make_node("DepthToSpace", ["clipped"], [last], blocksize=2, mode="CRD"),
    ]
    if last == "big":
        nodes += [
            helper.make_node("Split", ["big"], [f"p{k}" for k in range(frames)], axis=1),
            *(helper.make_node("Unsqueeze", [f"p{k}", "axis"], [f"u{k}"]) for k in range(frames)),
            helper.make_node("Concat", [f"u{k}" for k in range(frames)], ["output"], axis=1),
        ]
        weights["axis"] = np.array([1])
    return build(nodes, weights, shape)
