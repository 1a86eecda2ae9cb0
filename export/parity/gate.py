"""The parity gate: an exported model must compute what the PyTorch network computes."""

from __future__ import annotations

import numpy as np
import onnx
import torch
from torch import nn

from ...common.errors import ExportError
from ...common.text import one_line
from .comparison import (
    Frames,
    Parity,
    RunFrames,
    compare,
    deep_reference_frames,
    onnx_frames,
    reference_frames,
)
from .half_gate import HalfRunner, Peak
from .sizes import Sizes


class Gate:
    """Compares models with one PyTorch network, whose outputs are computed once."""

    def __init__(self, network: nn.Module, sizes: Sizes | None = None, depth: int = 8) -> None:
        """Run `network` on reference frames of 8 or 16 bits.

        Raises ExportError if it gives NaN or infinity.
        """
        sizes = sizes or Sizes()
        run = torch_frames(network)
        shown = reference_frames(sizes) if depth == 8 else deep_reference_frames(sizes)
        self._cases = [(name, frames, run(frames)) for name, frames in shown]

    def measure(self, model: onnx.ModelProto) -> list[Parity]:
        """Compare on every batch of reference frames.

        Raises ExportError if ONNX Runtime refuses the model, or if it gives NaN or infinity.
        """
        run = onnx_frames(model)
        return [
            compare(name, frames.shape, want, run(frames)) for name, frames, want in self._cases
        ]

    def require(self, model: onnx.ModelProto, precision: str = "fp32") -> list[Parity]:
        """Like `measure`; raises ExportError with the first numbers beyond the limit."""
        return _within(self.measure(model), precision)

    def require_half(self, model: onnx.ModelProto) -> tuple[list[Parity], Peak]:
        """Like `require` of an fp16 model, as half precision computes it, not as a processor does.

        Raises ExportError also if a value between two operators leaves half precision's range.
        """
        run = HalfRunner(model)
        measured = []
        for name, frames, want in self._cases:
            label = f"{name} {'×'.join(map(str, frames.shape[:3]))}"
            measured.append(compare(name, frames.shape, want, run(frames, label)))
        return _within(measured, "fp16"), run.peak


def _within(measured: list[Parity], precision: str) -> list[Parity]:
    for parity in measured:
        failure = parity.failure(precision)
        if failure is not None:
            raise ExportError(f"parity failed on {parity.label()}: {failure}; nothing was written")
    return measured


def torch_frames(network: nn.Module) -> RunFrames:
    """`network` (float RGB in [0, 1]) on uint8 or uint16 frames, clamped and rounded as the
    contract says.

    The returned function raises ExportError if the network's output is not finite.
    """

    def run(frames: Frames) -> Frames:
        white = float(np.iinfo(frames.dtype).max)
        single = np.ascontiguousarray(frames[..., ::-1], np.float32)
        rgb = torch.from_numpy(single).permute(0, 3, 1, 2)
        try:
            with torch.inference_mode():
                output = network(rgb / white)
        except Exception as error:  # a community network's own code
            size = f"{frames.shape[1]}×{frames.shape[2]}"
            reason = one_line(error, 160)
            raise ExportError(f"the network fails on frames of {size} pixels: {reason}") from error
        if not bool(torch.isfinite(output).all()):
            raise ExportError("the network's output contains NaN or infinity: train it again")
        levels = (output * white + 0.5).clamp(0, white).floor()
        bgr = levels.permute(0, 2, 3, 1).numpy()[..., ::-1]
        return np.ascontiguousarray(bgr, frames.dtype)

    return run
