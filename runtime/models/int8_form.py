"""The two forms of int8 models, and which of them a GPU can run.

For TensorRT, activations are int8 with zero point 0, biases float, and uint8 is at the ends only.
For ONNX Runtime on processors they are uint8, biases are int32 and pixels are moved as uint8 codes,
so that nothing is computed in float. ONNX Runtime has no CUDA kernels for DequantizeLinear of int32
and for DepthToSpace of uint8, and TensorRT takes neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...common.errors import BackendError
from .file import ModelSpec
from .zoo import MODELS

if TYPE_CHECKING:
    import onnx

_SUFFIX = "-int8"


def is_for_processors(model: onnx.ModelProto) -> bool:
    """Whether a model has int32 biases that are dequantised, or moves uint8 codes to pixels."""
    import onnx

    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    producers = {output: node.op_type for node in model.graph.node for output in node.output}
    return any(
        (node.op_type == "DequantizeLinear" and types.get(node.input[0]) == onnx.TensorProto.INT32)
        or (node.op_type == "DepthToSpace" and producers.get(node.input[0]) == "QuantizeLinear")
        for node in model.graph.node
    )


def form_problem(spec: ModelSpec) -> str | None:
    """Why no GPU runs this model, with the file to use instead; None if its form is no reason."""
    if spec.precision != "int8" or not is_for_processors(spec.model()):
        return None
    return (
        f"{spec.name} is int8 in the form for CPUs, with integer operators that GPUs lack; use "
        f"{_instead(spec)}"
    )


def refuse_for_processors(spec: ModelSpec, backend: str) -> None:
    """Raise BackendError if the model is of the form that GPUs do not run."""
    problem = form_problem(spec)
    if problem is not None:
        raise BackendError(f"{backend}: {problem}")


def _instead(spec: ModelSpec) -> str:
    other = spec.path.with_name(f"{spec.path.stem.removesuffix(_SUFFIX)}.onnx")
    if other != spec.path and other.is_file():
        return f"{other.stem if other.parent == MODELS else other}, the same network without int8"
    return (
        "the same network in fp16, or export it in int8 with --target tensorrt11 (see "
        "docs/export.md)"
    )
