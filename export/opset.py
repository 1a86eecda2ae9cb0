"""Which opsets an exported model may have: what every tool of the chain can write and read."""

from __future__ import annotations

from dataclasses import dataclass

import onnx

from ..imaging.errors import ExportError

DEFAULT = 20


@dataclass(frozen=True)
class Window:
    """Opsets `lowest` … `highest` (both included) that one tool takes."""

    tool: str
    lowest: int
    highest: int


WINDOWS = (
    # torch/onnx/_constants.py of torch 2.14 and 2.15, read November 2026: the dynamo exporter has
    # implementations from 18, its highest opset is 23.
    Window("the PyTorch exporter", 18, 23),
    # TensorRT 10.x and 11.x ONNX opset guides, read November 2026: 9 to 24 (25 only from 11.5).
    Window("TensorRT", 9, 24),
)


def check_opset(opset: int) -> None:
    """Raise ExportError, naming the tool that sets the limit, if `opset` cannot be exported."""
    installed = Window(f"onnx {onnx.__version__}", 7, onnx.defs.onnx_opset_version())
    for window in (*WINDOWS, installed):
        if not window.lowest <= opset <= window.highest:
            nearest = min(max(opset, window.lowest), window.highest)
            raise ExportError(
                f"opset {opset}: {window.tool} takes {window.lowest} to {window.highest}; "
                f"the nearest that works is {nearest}"
            )
