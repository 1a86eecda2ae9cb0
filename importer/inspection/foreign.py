"""Reads any ONNX file and finds out whether it is a network from pictures to pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx.inliner import inline_local_functions

from ...common.errors import ModelError
from ...common.text import one_line
from ...runtime.models.contract import damaged, parse, read
from ...runtime.models.digest import PREFIX
from ...runtime.models.graph import attributes
from ...runtime.models.tensors import all_tensors, not_finite

COLOUR_CHANNELS = {1: "grey", 3: "colour", 4: "colour and alpha"}
MAX_WINDOW = 31
_FLOATS: dict[int, type[np.floating[Any]]] = {
    onnx.TensorProto.FLOAT: np.float32,
    onnx.TensorProto.FLOAT16: np.float16,
}
_SPATIAL_WEIGHTS = ("Conv", "ConvTranspose")


@dataclass(frozen=True)
class Foreign:
    """A float network of pictures, as its file states it.

    `model` is the whole of it: weights from other files are in it, functions are inlined. The input
    is N×C×H×W, or N×T×C×H×W with `is_sequence`. `batch`, `height`, `width` are None where any size
    is accepted by the interface. `window` is the number of frames that it takes at once, None if a
    sequence may have any length; `channels` are those of one frame.
    """

    path: Path
    model: onnx.ModelProto
    input: str
    output: str
    dtype: type[np.floating[Any]]
    channels: int
    window: int | None
    is_sequence: bool
    batch: int | None
    height: int | None
    width: int | None

    @property
    def opset(self) -> int:
        """Of the standard operators."""
        return opset_of(self.model)

    @property
    def precision(self) -> str:
        """int8 with quantised values, fp16 with any half-precision weight or interface."""
        if any(node.op_type == "DequantizeLinear" for node in self.model.graph.node):
            return "int8"
        half = onnx.TensorProto.FLOAT16
        stored = any(tensor.data_type == half for tensor in self.model.graph.initializer)
        return "fp16" if stored or self.dtype is np.float16 else "fp32"


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operators."""
    return next(int(e.version) for e in model.opset_import if e.domain in ("", "ai.onnx"))


def read_foreign(path: Path) -> Foreign:
    """Read the network at `path`.

    Raises ModelError: it is missing or damaged, its data in other files is, or its inputs and
    outputs are not those of a network from pictures to pictures.
    """
    model = _whole(path)
    tensor = _only_input(path, model)
    dims = [dim.dim_value if dim.dim_value > 0 else None for dim in tensor.shape.dim]
    shown = "×".join("?" if dim is None else str(dim) for dim in dims)
    name = _inputs(model)[0].name
    if tensor.elem_type not in _FLOATS:
        kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ModelError(
            f"{path}: its input {name!r} is {kind}, and only float networks can be imported "
            "(float32 or float16, N×C×H×W)"
        )
    if len(dims) not in (4, 5):
        raise ModelError(
            f"{path}: its input {name!r} is {shown or 'of no stated shape'}; pictures are "
            "N×C×H×W, sequences N×T×C×H×W"
        )
    is_sequence = len(dims) == 5
    channels, window = _channels(path, model, name, dims, shown)
    batch = dims[0]
    if batch is not None and batch != 1:
        raise ModelError(
            f"{path}: takes exactly {batch} inputs at a time; export it with a batch of 1, or of "
            "any size"
        )
    return Foreign(
        path=path,
        model=model,
        input=name,
        output=_only_output(path, model),
        dtype=_FLOATS[int(tensor.elem_type)],
        channels=channels,
        window=window,
        is_sequence=is_sequence,
        batch=batch,
        height=dims[-2],
        width=dims[-1],
    )


def _whole(path: Path) -> onnx.ModelProto:
    model = parse(path, read(path))
    if not all(isinstance(node.op_type, str) for node in model.graph.node):
        raise damaged(path)
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        raise ModelError(f"{path}: does not say which opset its operators are of")
    if any(entry.key == f"{PREFIX}format" for entry in model.metadata_props):
        raise ModelError(f"{path} is a framelift model already: use it as it is")
    try:
        onnx.load_external_data_for_model(model, str(path.resolve().parent))
    except Exception as error:  # ValidationError for what lies outside, OSError, ValueError
        raise ModelError(
            f"{path}: keeps weights in another file that cannot be read "
            f"({one_line(error, 200)}); keep that file beside the model"
        ) from error
    if model.functions:
        model = inline_local_functions(model)
    if model.graph.sparse_initializer:
        raise ModelError(f"{path}: has sparse weights, which cannot be imported; store them dense")
    _constants_to_weights(model.graph)
    _require_finite(path, model)
    return model


def _constants_to_weights(graph: onnx.GraphProto) -> None:
    """Constant nodes as stored tensors, in which they are found by name."""
    for node in list(graph.node):
        value = attributes(node).get("value") if node.op_type == "Constant" else None
        if isinstance(value, onnx.TensorProto):
            tensor = onnx.TensorProto()
            tensor.CopyFrom(value)
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
            graph.node.remove(node)


def _require_finite(path: Path, model: onnx.ModelProto) -> None:
    for tensor in all_tensors(model):
        try:
            found = not_finite(tensor)
        except ValueError as error:
            raise ModelError(f"{path}: is damaged ({error})") from error
        if found is not None:
            raise ModelError(
                f"{path}: its weights {tensor.name!r} contain {found}, so that its pictures "
                "would be "
                "black or noise: get the file again, or export it from a sound checkpoint"
            )


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    stored = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in stored]


def _only_input(path: Path, model: onnx.ModelProto) -> onnx.TypeProto.Tensor:
    inputs = _inputs(model)
    if len(inputs) != 1:
        names = ", ".join(repr(value.name) for value in inputs) or "none"
        raise ModelError(
            f"{path}: has the inputs {names}, and only models with one input, the picture, can be "
            "imported"
        )
    tensor: onnx.TypeProto.Tensor = inputs[0].type.tensor_type
    return tensor


def _only_output(path: Path, model: onnx.ModelProto) -> str:
    outputs = [value.name for value in model.graph.output]
    if len(outputs) != 1:
        names = ", ".join(map(repr, outputs)) or "none"
        raise ModelError(
            f"{path}: has the outputs {names}, and only models with one output, the picture, can "
            "be imported"
        )
    return str(outputs[0])


def _channels(
    path: Path, model: onnx.ModelProto, name: str, dims: list[int | None], shown: str
) -> tuple[int, int | None]:
    """Channels of a frame, and how many frames are taken at once (None: any number)."""
    if len(dims) == 5:
        channels, window = dims[2] or 3, dims[1]
        if channels != 3:
            raise ModelError(
                f"{path}: its input {name!r} is {shown}, sequences of {channels} channels; only "
                "colour sequences (N×T×3×H×W) can be imported"
            )
        if window is not None and not 1 <= window <= MAX_WINDOW:
            raise ModelError(f"{path}: takes {window} frames at once; at most {MAX_WINDOW} can be")
        return 3, window
    read = _channels_read(model, name)
    channels = dims[1] or read or 3
    nhwc = dims[3] in COLOUR_CHANNELS and dims[1] not in COLOUR_CHANNELS and channels != read
    if channels in COLOUR_CHANNELS and not nhwc:
        return channels, 1
    if channels % 3 == 0 and channels <= 3 * MAX_WINDOW and not nhwc:
        return 3, channels // 3
    reason = (
        "which looks like N×H×W×C: export it as N×C×H×W"
        if nhwc
        else f"{channels} channels; pictures have 1 (grey), 3 (colour) or 4 (with alpha), several "
        "frames 3 each"
    )
    raise ModelError(f"{path}: its input {name!r} is {shown}, {reason}")


def _channels_read(model: onnx.ModelProto, name: str) -> int | None:
    """How many channels the first convolution of the input takes, where the interface is silent."""
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _SPATIAL_WEIGHTS and node.input[0] == name and node.input[1] in weights:
            group = attributes(node).get("group", 1)
            return int(weights[node.input[1]][1] * group)
    return None
