"""The network in PyTorch on the processor, call by call or compiled, conversions included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..shared.frames import Frames
from ..shared.settings import LatencySettings
from .base import Rival, plain_network
from .torch_graph import TorchGraph


class OnFrames(nn.Module):
    """A network on uint8 N×H×W×3 BGR frames; conversions in PyTorch, which is its fastest way."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, frames: Tensor) -> Tensor:
        images = frames.permute(0, 3, 1, 2).flip(1).float().div(255)
        levels = self._network(images).clamp(0, 1).mul(255).round().to(torch.uint8)
        result: Tensor = levels.flip(1).permute(0, 2, 3, 1).contiguous()
        return result


class TorchRival(Rival):
    """A module on the CPU in inference mode."""

    def __init__(self, name: str, model: str | Path, case: LatencySettings) -> None:
        spec, network = plain_network(model, case)
        super().__init__(name, spec.scale, spec.precision, case)
        self.engine = f"torch {torch.__version__}"
        torch.set_num_threads(self.threads)
        self.module: nn.Module = OnFrames(TorchGraph(network)).eval()

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        batch = frame[np.newaxis] if frame.ndim == 3 else frame
        with torch.inference_mode():
            result: Frames = self.module(torch.from_numpy(batch)).numpy()
        return result[0] if frame.ndim == 3 else result


def eager(model: str | Path, case: LatencySettings) -> Rival:
    """Plain PyTorch."""
    return TorchRival("torch-eager", model, case)


def compiled(model: str | Path, case: LatencySettings) -> Rival:
    """PyTorch with its compiler; the first call compiles."""
    rival = TorchRival("torch-compile", model, case)
    # Freezing packs the weights ahead, without which it is no faster than plain PyTorch on a CPU.
    rival.module = torch.compile(  # type: ignore[assignment]
        rival.module, dynamic=False, options={"freezing": True}
    )
    return rival
