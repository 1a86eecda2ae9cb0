"""The float network of a framelift model as a PyTorch module, built from its ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from ...common.errors import ModelError
from ...runtime.models.graph import Graph, attributes

# Where an operator finds what its operands hold, if they are constants of the network: read from a
# GPU's memory, they would hold up every call.
_NUMBERS = "numbers"
_WANT_NUMBERS = ("Clip", "Resize")

_Operator = Callable[[Sequence[Tensor], dict[str, Any]], Tensor]


def _conv(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    x, weight, *bias = inputs
    return F.conv2d(
        x,
        weight,
        bias[0] if bias else None,
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=_symmetric(attributes, weight),
        dilation=tuple(attributes.get("dilations", (1, 1))),
        groups=attributes.get("group", 1),
    )


def _symmetric(attributes: dict[str, Any], weight: Tensor) -> tuple[int, int]:
    automatic = attributes.get("auto_pad", b"NOTSET")
    if automatic in (b"SAME_UPPER", b"SAME_LOWER"):
        return weight.shape[2] // 2, weight.shape[3] // 2
    top, left, bottom, right = attributes.get("pads", (0, 0, 0, 0))
    if (top, left) != (bottom, right) or automatic not in (b"NOTSET", b"VALID"):
        raise ModelError(f"a convolution pads unevenly: {attributes}")
    return top, left


def _depth_to_space(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    block = attributes["blocksize"]
    if attributes.get("mode", b"DCR") == b"CRD":
        return F.pixel_shuffle(inputs[0], block)
    n, c, h, w = inputs[0].shape
    split = inputs[0].reshape(n, block, block, c // block**2, h, w)
    return split.permute(0, 3, 4, 1, 5, 2).reshape(n, c // block**2, h * block, w * block)


def _upsample(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    factors = attributes[_NUMBERS][0][2:]
    return F.interpolate(inputs[0], scale_factor=factors, mode="nearest")


def _prelu(inputs: Sequence[Tensor], _: dict[str, Any]) -> Tensor:
    return F.prelu(inputs[0], inputs[1].flatten())


def _clip(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    (least,), (most,) = attributes[_NUMBERS]
    return torch.clamp(inputs[0], least, most)


def _cast(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    return inputs[0].to(_TYPES[attributes["to"]])


def _instance_norm(inputs: Sequence[Tensor], attributes: dict[str, Any]) -> Tensor:
    return F.instance_norm(
        inputs[0], weight=inputs[1], bias=inputs[2], eps=attributes.get("epsilon", 1e-5)
    )


_TYPES = {onnx.TensorProto.FLOAT: torch.float32, onnx.TensorProto.FLOAT16: torch.float16}

_OPERATORS: dict[str, _Operator] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "Cast": _cast,
    "Clip": _clip,
    "Concat": lambda inputs, attributes: torch.cat(list(inputs), attributes["axis"]),
    "Conv": _conv,
    "DepthToSpace": _depth_to_space,
    "Identity": lambda inputs, _: inputs[0],
    "InstanceNormalization": _instance_norm,
    "LeakyRelu": lambda inputs, attributes: F.leaky_relu(inputs[0], attributes.get("alpha", 0.01)),
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "PRelu": _prelu,
    "Relu": lambda inputs, _: F.relu(inputs[0]),
    "Resize": _upsample,
    "Sigmoid": lambda inputs, _: torch.sigmoid(inputs[0]),
    "Sub": lambda inputs, _: inputs[0] - inputs[1],
    "Tanh": lambda inputs, _: torch.tanh(inputs[0]),
}


class TorchGraph(nn.Module):
    """Runs the nodes of an ONNX graph in order: float N×3×H×W in and out, RGB 0–1."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Raises ModelError for an operator that is not known here."""
        super().__init__()
        unknown = {node.op_type for node in model.graph.node} - _OPERATORS.keys() - {"Constant"}
        if unknown:
            raise ModelError(f"PyTorch rivals do not know the operators {', '.join(unknown)}")
        self._input = model.graph.input[0].name
        self._output = model.graph.output[0].name
        self._names: dict[str, str] = {}
        constants = Graph(model.graph).constants
        for name, values in constants.items():
            self._keep(name, values)
        self._steps: list[tuple[_Operator, list[str], str, dict[str, Any]]] = []
        for node in model.graph.node:
            found = attributes(node)
            if node.op_type == "Constant":
                constants[node.output[0]] = numpy_helper.to_array(found["value"])
                self._keep(node.output[0], constants[node.output[0]])
                continue
            if node.op_type in _WANT_NUMBERS:
                found[_NUMBERS] = _numbers(node, constants)
            operands = [name for name in node.input if name]
            self._steps.append((_OPERATORS[node.op_type], operands, node.output[0], found))

    def forward(self, images: Tensor) -> Tensor:
        values = {name: self.get_buffer(buffer) for name, buffer in self._names.items()}
        values[self._input] = images
        for operator, operands, result, found in self._steps:
            values[result] = operator([values[name] for name in operands], found)
        return values[self._output]

    def _keep(self, name: str, values: NDArray[Any]) -> None:
        self._names[name] = f"value_{len(self._names)}"
        self.register_buffer(self._names[name], torch.from_numpy(values.copy()))


def _numbers(node: onnx.NodeProto, constants: dict[str, NDArray[Any]]) -> list[list[float]]:
    """What the operands after the first one hold."""
    names = [name for name in node.input[1:] if name]
    nearest = attributes(node).get("mode", b"nearest") == b"nearest" and len(names) == 1
    if node.op_type == "Resize" and not nearest:
        raise ModelError("only nearest-neighbour upsampling by a factor is known")
    if any(name not in constants for name in names):
        raise ModelError(f"{node.op_type} has operands that are computed")
    return [constants[name].ravel().tolist() for name in names]
