"""The header of a checkpoint, read without PyTorch: what network it is and how it was trained."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...common.errors import CheckpointError
from ...common.text import nesting

FORMAT = 1
KEY = "framelift"

MAX_NESTING = 64
"""Levels of the header's JSON; deeper ones are damage that no reader of it would survive."""

_MAX_HEADER_BYTES = 100_000_000  # as the safetensors library has it


@dataclass(frozen=True)
class CheckpointHeader:
    """What a checkpoint says of itself; `parameters` are those of training, branches and all."""

    path: Path
    task: str
    scale: int
    network: dict[str, Any]
    training: dict[str, Any]
    parameters: int
    tensors: int
    types: tuple[str, ...]
    size_bytes: int
    sha256: str


def inspect_checkpoint(path: Path) -> CheckpointHeader:
    """Read the header of a framelift checkpoint; the weights are not loaded.

    Raises CheckpointError if the file is missing, cut short, no .safetensors file, or no checkpoint
    of framelift.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"checkpoint {path}: {error.strerror}") from error
    document, tensors = _safetensors(path, data)
    text = document.get(KEY)
    if not isinstance(text, str):
        raise CheckpointError(f"checkpoint {path}: a .safetensors file without framelift's header")
    header = parse_header(path, text)
    scale = header.get("scale", 1)
    return CheckpointHeader(
        path=path,
        task=str(header.get("task", "")),
        scale=scale if type(scale) is int else 1,
        network=header["network"] if isinstance(header["network"], dict) else {},
        training=header["training"],
        parameters=sum(math.prod(tensor["shape"]) for tensor in tensors.values()),
        tensors=len(tensors),
        types=tuple(sorted({str(tensor["dtype"]) for tensor in tensors.values()})),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def parse_header(path: Path, text: str) -> dict[str, Any]:
    """The JSON document of contract 1, with `format`, `network` and `training`.

    Raises CheckpointError if it is damaged or of a newer format.
    """
    try:
        header: dict[str, Any] = json.loads(text)
        version, training = header["format"], header["training"]
        if type(version) is not int or version < 1:
            raise ValueError(f"format {str(version)[:40]!r}")
        if not isinstance(training, dict) or nesting(header, MAX_NESTING) > MAX_NESTING:
            raise ValueError("training is not a JSON object, or one without end")
        header["network"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        reason = str(error)[:120] or type(error).__name__
        raise CheckpointError(f"checkpoint {path}: damaged header ({reason})") from error
    if version > FORMAT:
        raise CheckpointError(
            f"checkpoint {path}: format {version}, this framelift reads up to {FORMAT}; "
            "upgrade framelift"
        )
    return header


def _safetensors(path: Path, data: bytes) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The metadata and the tensors that a .safetensors file lists."""
    length = int.from_bytes(data[:8], "little")
    start = 8 + length
    try:
        if len(data) < 8 or length > min(len(data) - 8, _MAX_HEADER_BYTES):
            raise ValueError("too short")
        tensors = json.loads(data[8:start])
        metadata = tensors.pop("__metadata__", {})
        ends = [int(tensor["data_offsets"][1]) for tensor in tensors.values()]
        for tensor in tensors.values():
            if not all(type(side) is int and side >= 0 for side in tensor["shape"]):
                raise ValueError("a shape that is none")
            str(tensor["dtype"])
        if start + max(ends, default=0) != len(data) or not isinstance(metadata, dict):
            raise ValueError("cut short")
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"checkpoint {path}: not a readable .safetensors file") from error
    return metadata, tensors
