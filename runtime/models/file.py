"""Reads and validates a framelift ONNX model: what it is, what it takes, how it was made."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.errors import ForeignModelError, ModelError
from .digest import PREFIX, require_sealed
from .memory import activation_bytes_per_pixel
from .tensors import all_tensors, not_finite

if TYPE_CHECKING:
    import onnx

FORMAT = 1
DEEP_BITS = 16
"""Depth of models that take and give uint16 frames, of the full range from 0 to 65535."""
TEMPORAL_FORMAT = 2
"""That of models of several frames, which no earlier framelift can run."""
INPUT = "frames"
OUTPUT = "upscaled"
WHOLE_FRAME = 1_000_000
"""The halo of a network whose pixels depend on the whole frame: it is never cut into tiles."""

ACTIVATION_BYTES = "activation_bytes"
"""Metadata of models whose graph does not tell the sizes of all its values."""
_MOST_ACTIVATION_BYTES = 1 << 24

_REQUIRED = (
    "task",
    "scale",
    "size_multiple",
    "halo",
    "precision",
    "opset",
    "network",
    "weights_sha256",
    "parity",
    "created_with",
    "licence",
)


@dataclass(frozen=True)
class ModelSpec:
    """What a Framelift model file says about itself.

    Attributes:
        minimum_side: smallest height and width.
        halo: radius of the receptive field in input pixels.
        sha256: that of the file.
        frame_shape: (N, H, W) of the input, with None where any size is accepted.
        window: frames that a model of several frames takes as its N; 1 for other models.
        lookahead: how many frames of the window come after the output frame.
        parameters: what the exporter recorded, or else the count in the graph.
        activation_bytes: estimate of the memory that the network takes per input pixel.
        metadata: every `framelift.` entry as written, keys without the prefix.
        data: the file as it was read.
    """

    path: Path
    name: str
    task: str
    scale: int
    size_multiple: int
    minimum_side: int
    halo: int
    precision: str
    opset: int
    network: dict[str, Any]
    weights_sha256: str
    parity: dict[str, Any]
    created_with: dict[str, Any]
    licence: str
    sha256: str
    frame_shape: tuple[int | None, int | None, int | None]
    window: int
    lookahead: int
    parameters: int
    ir_version: int
    size_bytes: int
    activation_bytes: int
    metadata: dict[str, str]
    data: bytes = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        for key, most in (("scale", 64), ("size_multiple", 4096), ("minimum_side", 16384)):
            if getattr(self, key) < 1:
                raise ModelError(f"{self.path}: {PREFIX}{key} must be at least 1")
            if getattr(self, key) > most:
                raise ModelError(f"{self.path}: {PREFIX}{key} must be at most {most}")
        if self.window < 1 or not 0 <= self.lookahead < self.window:
            raise ModelError(
                f"{self.path}: {PREFIX}window {self.window} and {PREFIX}lookahead {self.lookahead} "
                "do not go together: export it again"
            )
        if self.window > 1 and self.frame_shape[0] != self.window:
            raise ModelError(
                f"{self.path}: takes {self.frame_shape[0]} frames at once, {PREFIX}window says "
                f"{self.window}: export it again"
            )
        if self.depth not in (8, DEEP_BITS):
            raise ModelError(f"{self.path}: {PREFIX}depth is {self.depth}, expected 8 or 16")
        if self.halo < 0:
            raise ModelError(f"{self.path}: {PREFIX}halo must not be negative")

    def model(self) -> onnx.ModelProto:
        """A new copy of the model, parsed from what was read and checked: it may be changed."""
        import onnx

        return onnx.load_model_from_string(self.data)

    @property
    def depth(self) -> int:
        """Bits per channel of the frames that it takes and gives: 8 (uint8) or 16 (uint16)."""
        return _integer(self.path, {"depth": "8", **self.metadata}, "depth")

    @property
    def is_local(self) -> bool:
        """Whether a pixel depends on its surroundings only, so that tiles have the same result."""
        return self.halo < WHOLE_FRAME

    @property
    def has_fixed_size(self) -> bool:
        """Whether it accepts one height or width only; larger frames are run in tiles of it."""
        return any(self.frame_shape[1:])

    @property
    def reach(self) -> str:
        """The halo in words."""
        return f"{self.halo} px" if self.is_local else "whole frames only"


def read_spec(path: str | Path) -> ModelSpec:
    """Read and validate the model at `path`.

    Raises:
        ForeignModelError: the file is ONNX but not a framelift model.
        ModelError: the file is missing, is not ONNX, was written by a newer framelift, its input
            and output are not those of a framelift model, its weights are not finite, or it is not
            what was exported by the digest in its metadata.
    """
    return load(path)[0]


def load(path: str | Path) -> tuple[ModelSpec, onnx.ModelProto]:
    """Like `read_spec`, with the parsed model."""
    path = Path(path)
    data = _read(path)
    model = _parse(path, data)
    metadata = {
        entry.key.removeprefix(PREFIX): entry.value
        for entry in model.metadata_props
        if entry.key.startswith(PREFIX)
    }
    _check_format(path, metadata)
    _check_self_contained(path, model)
    depth = _integer(path, {"depth": "8", **metadata}, "depth")
    frame_shape = _check_interface(path, model, depth)
    require_sealed(path, model)
    _check_weights(path, model)
    size_multiple = _integer(path, metadata, "size_multiple")
    network = _json(path, metadata, "network")
    window = _integer(path, {"window": "1", **metadata}, "window")
    spec = ModelSpec(
        path=path,
        name=_label(path, {"name": path.stem, **metadata}, "name"),
        task=_label(path, metadata, "task"),
        scale=_integer(path, metadata, "scale"),
        size_multiple=size_multiple,
        minimum_side=_integer(path, {"minimum_side": "1", **metadata}, "minimum_side"),
        halo=_integer(path, metadata, "halo"),
        precision=metadata["precision"],
        opset=_integer(path, metadata, "opset"),
        network=network,
        weights_sha256=metadata["weights_sha256"],
        parity=_json(path, metadata, "parity"),
        created_with=_json(path, metadata, "created_with"),
        licence=metadata["licence"],
        sha256=hashlib.sha256(data).hexdigest(),
        frame_shape=frame_shape,
        window=window,
        lookahead=_integer(path, {"lookahead": "0", **metadata}, "lookahead"),
        parameters=_parameters(path, network, model),
        ir_version=model.ir_version,
        size_bytes=len(data),
        activation_bytes=_activation_bytes(path, metadata, model, max(1, size_multiple), window),
        metadata=metadata,
        data=data,
    )
    return spec, model


def _read(path: Path) -> bytes:
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


def _parse(path: Path, data: bytes) -> onnx.ModelProto:
    import onnx

    try:
        model = onnx.load_model_from_string(data)
    except Exception:  # protobuf's DecodeError, which onnx does not re-export
        raise _damaged(path) from None
    if not model.graph.node or not model.opset_import or not _is_text(model):
        raise _damaged(path)
    return model


def _damaged(path: Path) -> ModelError:
    return ModelError(f"{path} is not an ONNX file or is damaged: export or copy the model again")


def _is_text(model: onnx.ModelProto) -> bool:
    """Whether what is read as text is: protobuf gives `bytes` for what is no UTF-8."""
    entries = [text for entry in model.metadata_props for text in (entry.key, entry.value)]
    names = [value.name for value in (*model.graph.input, *model.graph.output)]
    return all(isinstance(text, str) for text in (*entries, *names))


def _check_format(path: Path, metadata: dict[str, str]) -> None:
    if "format" not in metadata:
        raise ForeignModelError(
            f"{path} is an ONNX file but not a framelift model (no {PREFIX}format metadata): "
            f"make one of it with `framelift import {path} -o MODEL.onnx`"
        )
    found = _integer(path, metadata, "format")
    if found > TEMPORAL_FORMAT:
        raise ModelError(
            f"{path} has framelift format {found}, this version reads up to {TEMPORAL_FORMAT}: "
            "run `pip install --upgrade framelift`"
        )
    missing = [PREFIX + key for key in _REQUIRED if key not in metadata]
    if missing:
        raise ModelError(f"{path} lacks the metadata {', '.join(missing)}: export it again")


def _check_self_contained(path: Path, model: onnx.ModelProto) -> None:
    import onnx

    for tensor in all_tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"{path} keeps its weights in another file (tensor {tensor.name!r}): a framelift "
                "model is one file, export it again with `framelift export`"
            )


def _check_weights(path: Path, model: onnx.ModelProto) -> None:
    for tensor in all_tensors(model):
        try:
            found = not_finite(tensor)
        except ValueError as error:
            raise _damaged(path) from error
        if found is not None:
            raise ModelError(
                f"{path}: its weights contain {found} (tensor {tensor.name!r}), so that its "
                "pictures "
                "would be black or noise: export it again, from a checkpoint that is sound"
            )


def _check_interface(
    path: Path, model: onnx.ModelProto, depth: int
) -> tuple[int | None, int | None, int | None]:
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
        raise _damaged(path)
    wanted = onnx.TensorProto.UINT16 if depth == DEEP_BITS else onnx.TensorProto.UINT8
    if tensor.elem_type != wanted:
        found = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
        raise ModelError(f"{path}: {kind} `{name}` is {found}; {expected}: export it again")
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
    if len(dims) != 4 or dims[3] != 3:
        shown = "×".join("?" if dim is None else str(dim) for dim in dims)
        raise ModelError(f"{path}: {kind} `{name}` is {shown}; {expected}: export it again")
    return dims[0], dims[1], dims[2]


def _activation_bytes(
    path: Path, metadata: dict[str, str], model: onnx.ModelProto, size_multiple: int, window: int
) -> int:
    """Measured when the file was made, else as the graph tells."""
    try:
        inferred = activation_bytes_per_pixel(model, size_multiple) * max(1, window)
    except MemoryError:
        raise
    except Exception as error:  # shapes or types that are none, for which onnx has many errors
        raise _damaged(path) from error
    if ACTIVATION_BYTES not in metadata:
        return inferred
    return min(max(_integer(path, metadata, ACTIVATION_BYTES), inferred), _MOST_ACTIVATION_BYTES)


def _parameters(path: Path, network: dict[str, Any], model: onnx.ModelProto) -> int:
    """What the exporter recorded, else counted."""
    recorded = network.get("parameters")
    if recorded is None:
        return _count_parameters(model)
    if type(recorded) is not int or recorded < 0:
        raise ModelError(
            f"{path}: metadata {PREFIX}network says {json.dumps(recorded)[:40]} parameters, "
            "expected a whole number: export it again"
        )
    return recorded


def _count_parameters(model: onnx.ModelProto) -> int:
    """Elements of all weights and biases; scalars (limits, scales) are constants of the graph."""
    return sum(_elements(tensor) for tensor in model.graph.initializer if len(tensor.dims))


def _elements(tensor: onnx.TensorProto) -> int:
    count = 1
    for dim in tensor.dims:
        count *= dim
    return count


def _label(path: Path, metadata: dict[str, str], key: str) -> str:
    """A text that is shown in messages."""
    text = metadata[key]
    if len(text) > 200 or not text.isprintable():
        raise ModelError(
            f"{path}: metadata {PREFIX}{key} is {text[:40]!r}…, expected a short name: export it "
            "again"
        )
    return text


def _integer(path: Path, metadata: dict[str, str], key: str) -> int:
    try:
        return int(metadata[key])
    except ValueError:
        raise ModelError(
            f"{path}: metadata {PREFIX}{key} is {metadata[key][:40]!r}, expected a whole number"
        ) from None


def _json(path: Path, metadata: dict[str, str], key: str) -> dict[str, Any]:
    try:
        value = json.loads(metadata[key])
    except (ValueError, RecursionError):  # also numbers that are too long, and lists too deep
        value = None
    if not isinstance(value, dict):
        raise ModelError(f"{path}: metadata {PREFIX}{key} is not a JSON object: export it again")
    return value
