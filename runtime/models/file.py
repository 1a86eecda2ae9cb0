"""Reads and validates a framelift ONNX model: what it is, what it takes, how it was made."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...common.errors import ModelError
from .contract import (
    DEEP_BITS,
    check_interface,
    check_metadata,
    check_self_contained,
    check_weights,
    damaged,
    parse,
    read,
)
from .digest import PREFIX, require_sealed
from .memory import activation_bytes_per_pixel
from .metadata import ACTIVATION_BYTES, Metadata
from .remembered import Facts, remembered

if TYPE_CHECKING:
    import onnx

WHOLE_FRAME = 1_000_000
"""The halo of a network whose pixels depend on the whole frame: it is never cut into tiles."""

_MOST_ACTIVATION_BYTES = 1 << 24


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
        """Bits per channel of the frames that it takes and returns: 8 (uint8) or 16 (uint16)."""
        return Metadata(self.path, self.metadata).integer("depth", 8)

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


_FACTS = sorted({one.name for one in fields(ModelSpec)} - {"path", "data"})


def read_spec(path: str | Path) -> ModelSpec:
    """Read and validate the model at `path`.

    Raises:
        ForeignModelError: the file is ONNX but not a framelift model.
        ModelError: the file is missing, is not ONNX, was written by a newer framelift, its input
            and output are not those of a framelift model, its weights are not finite, or it is not
            what was exported by the digest in its metadata.
    """
    path = Path(path)
    data = read(path)
    facts, _ = remembered(
        "spec", data, path.stem, _FACTS, lambda: (_facts(_load(path, data)[0]), b"")
    )
    shape = tuple(facts["frame_shape"])  # of which JSON makes a list
    return ModelSpec(path=path, data=data, **{**facts, "frame_shape": shape})


def _facts(spec: ModelSpec) -> Facts:
    """All of it but the file itself."""
    return {name: getattr(spec, name) for name in _FACTS}


def load(path: str | Path) -> tuple[ModelSpec, onnx.ModelProto]:
    """Like `read_spec`, with the parsed model."""
    path = Path(path)
    return _load(path, read(path))


def _load(path: Path, data: bytes) -> tuple[ModelSpec, onnx.ModelProto]:
    model = parse(path, data)
    check_metadata(path, model)
    metadata = Metadata.of(path, model)
    check_self_contained(path, model)
    frame_shape = check_interface(path, model, metadata.integer("depth", 8))
    require_sealed(path, model)
    check_weights(path, model)
    size_multiple = metadata.integer("size_multiple")
    network = metadata.document("network")
    window = metadata.integer("window", 1)
    spec = ModelSpec(
        path=path,
        name=metadata.label("name", path.stem),
        task=metadata.label("task"),
        scale=metadata.integer("scale"),
        size_multiple=size_multiple,
        minimum_side=metadata.integer("minimum_side", 1),
        halo=metadata.integer("halo"),
        precision=metadata.entries["precision"],
        opset=metadata.integer("opset"),
        network=network,
        weights_sha256=metadata.entries["weights_sha256"],
        parity=metadata.document("parity"),
        created_with=metadata.document("created_with"),
        licence=metadata.entries["licence"],
        sha256=hashlib.sha256(data).hexdigest(),
        frame_shape=frame_shape,
        window=window,
        lookahead=metadata.integer("lookahead", 0),
        parameters=_parameters(path, network, model),
        ir_version=model.ir_version,
        size_bytes=len(data),
        activation_bytes=_activation_bytes(metadata, model, max(1, size_multiple), window),
        metadata=metadata.entries,
        data=data,
    )
    return spec, model


def _activation_bytes(
    metadata: Metadata, model: onnx.ModelProto, size_multiple: int, window: int
) -> int:
    """Measured when the file was made, else computed from the graph."""
    try:
        inferred = activation_bytes_per_pixel(model, size_multiple) * max(1, window)
    except MemoryError:
        raise
    except Exception as error:  # shapes or types that are none, for which onnx has many errors
        raise damaged(metadata.path) from error
    if ACTIVATION_BYTES not in metadata.entries:
        return inferred
    return min(max(metadata.integer(ACTIVATION_BYTES), inferred), _MOST_ACTIVATION_BYTES)


def _parameters(path: Path, network: dict[str, Any], model: onnx.ModelProto) -> int:
    """What the exporter recorded, else counted."""
    recorded = network.get("parameters")
    if recorded is None:
        # Elements of all weights and biases; scalars (limits, scales) are constants of the graph.
        return sum(math.prod(tensor.dims) for tensor in model.graph.initializer if tensor.dims)
    if type(recorded) is not int or recorded < 0:
        raise ModelError(
            f"{path}: metadata {PREFIX}network says {json.dumps(recorded)[:40]} parameters, "
            "expected a whole number: export it again"
        )
    return recorded
