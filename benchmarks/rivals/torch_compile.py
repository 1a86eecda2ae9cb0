"""The network through `torch.compile`, conversions included, at fixed shapes."""

from __future__ import annotations

from pathlib import Path

import torch

from ..shared.settings import LatencySettings
from .base import Rival
from .torch_eager import TorchRival


def load(model: str | Path, case: LatencySettings) -> Rival:
    """PyTorch with its compiler; the first call compiles."""
    rival = TorchRival("torch-compile", model, case)
    # Freezing packs the weights ahead, without which it is no faster than plain PyTorch on a CPU.
    rival.module = torch.compile(  # type: ignore[assignment]
        rival.module, dynamic=False, options={"freezing": True}
    )
    return rival
