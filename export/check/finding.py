"""`Finding`: an error or a risk that `framelift check` reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Finding:
    """One problem: an error keeps the targets from running the model, a warning is a risk."""

    is_error: bool
    targets: tuple[str, ...]
    where: str
    problem: str
    remedy: str


def label(node: onnx.NodeProto) -> str:
    """How a node is named to the user."""
    return f"{node.op_type} {node.name or (node.output[0] if node.output else '')!r}"
