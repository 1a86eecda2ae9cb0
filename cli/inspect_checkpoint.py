"""What `framelift inspect` shows of a checkpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .output.tables import entries, size_text

if TYPE_CHECKING:
    from ..train.checkpoints.header import CheckpointHeader


def document_of(checkpoint: CheckpointHeader) -> dict[str, Any]:
    """The checkpoint as JSON."""
    return {
        "path": str(checkpoint.path),
        "sha256": checkpoint.sha256,
        "size_bytes": checkpoint.size_bytes,
        "task": checkpoint.task,
        "scale": checkpoint.scale,
        "training_parameters": checkpoint.parameters,
        "tensors": checkpoint.tensors,
        "types": list(checkpoint.types),
        "network": checkpoint.network,
        "training": checkpoint.training,
    }


def rows_of(checkpoint: CheckpointHeader) -> Iterator[tuple[str, str]]:
    """The checkpoint as rows of a table."""
    yield "file", f"{checkpoint.path} ({size_text(checkpoint.size_bytes)})"
    yield "sha256", checkpoint.sha256
    factor = f" ×{checkpoint.scale}" if checkpoint.scale > 1 else ""
    yield "task", f"{checkpoint.task}{factor}"
    count = f"{checkpoint.parameters:,} in {checkpoint.tensors} tensors"
    yield "weights", f"{count} ({', '.join(checkpoint.types)}), branches of training included"
    yield from entries("network", checkpoint.network)
    yield from entries("training", checkpoint.training)
    yield "export", f"framelift export {checkpoint.path}"
