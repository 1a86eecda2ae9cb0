"""The rules of every model file: its input and output, and weights that are in it and finite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ModelError
from .tensors import all_tensors, not_finite

if TYPE_CHECKING:
    import onnx

INPUT = "frames"
OUTPUT = "upscaled"
DEEP_BITS = 16
"""Depth of models that take and give uint16 frames, of the full range from 0 to 65535."""


def read(path: Path) -> bytes:
    """The content of a file. Raises ModelError: there is none, or it cannot be read."""
    if path.is_dir():
        raise ModelError(f"{path} is a folder, not an .onnx file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}") from error
    if not data:
        raise ModelError(f"{path} is empty (0 bytes): export or copy the model again")
    return data


def parse(path: Path, data: bytes) -> onnx.ModelProto:
    """The model in the content of a file. Raises ModelError: it is not ONNX."""
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's DecodeError, which onnx does not re-export
        raise damaged(path) from None
    if not model.graph.node or not model.opset_import or not _is_text(_names(model)):
        raise damaged(path)
    return model


def damaged(path: Path) -> ModelError:
    """The error of a file that is not what ONNX writes."""
    return ModelError(f"{path} is not an ONNX file or is damaged: export or copy the model again")


def check_metadata(path: Path, model: onnx.ModelProto) -> None:
    """Raise ModelError if metadata is not UTF-8. ONNX Runtime runs such models of others."""
    if not _is_text(text for entry in model.metadata_props for text in (entry.key, entry.value)):
        raise damaged(path)


def _names(model: onnx.ModelProto) -> Iterator[str]:
    yield from (value.name for value in (*model.graph.input, *model.graph.output))
    yield from (node.op_type for node in model.graph.node)


def _is_text(texts: Iterable[str]) -> bool:
    """Whether all of them are UTF-8: protobuf returns `bytes` for what is not."""
    return all(isinstance(text, str) for text in texts)


def check_self_contained(path: Path, model: onnx.ModelProto) -> None:
    """Raise ModelError if weights are in another file."""
    import onnx

    for tensor in all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"{path} keeps its weights in another file (tensor {tensor.name!r}): a framelift "
                "model is one file, export it again with `framelift export`"
            )


def check_weights(path: Path, model: onnx.ModelProto) -> None:
    """Raise ModelError if weights are infinite or no numbers."""
    for tensor in all_tensors(model):
        try:
            found = not_finite(tensor)
        except ValueError as error:
            raise damaged(path) from error
        if found is not None:
            raise ModelError(
                f"{path}: its weights contain {found} (tensor {tensor.name!r}), so that its "
                "pictures would be black or noise: export it again, from a checkpoint that is sound"
            )


def check_interface(
    path: Path, model: onnx.ModelProto, depth: int
) -> tuple[int | None, int | None, int | None]:
    """(N, H, W) of the input, with None for any size. Raises ModelError: the input or the output
    are not those of a framelift model of that depth.
    """
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    shape = _check_value(path, "input", inputs, INPUT, depth)
    _check_value(path, "output", list(model.graph.output), OUTPUT, depth)
    return shape


def _check_value(
    path: Path, kind: str, values: list[onnx.ValueInfoProto], name: str, depth: int
) -> tuple[int | None, int | None, int | None]:
    import onnx

    expected = f"expected one {kind} `{name}`, uint{depth} N×H×W×3"
    if [value.name for value in values] != [name]:
        found = ", ".join(" ".join(value.name.split()) for value in values) or "none"
        raise ModelError(f"{path} has the {kind}s {found}; {expected}: export it again")
    tensor = values[0].type.tensor_type
    if tensor.elem_type not in onnx.TensorProto.DataType.values():
        raise damaged(path)
    wanted = onnx.TensorProto.UINT16 if depth == DEEP_BITS else onnx.TensorProto.UINT8
    if tensor.elem_type != wanted:
        found = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ModelError(f"{path}: {kind} `{name}` is {found}; {expected}: export it again")
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if len(dims) != 4 or dims[3] != 3:
        shown = "×".join("?" if dim is None else str(dim) for dim in dims)
        raise ModelError(f"{path}: {kind} `{name}` is {shown}; {expected}: export it again")
    return dims[0], dims[1], dims[2]
