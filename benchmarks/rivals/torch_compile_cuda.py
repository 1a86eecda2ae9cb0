"""The network through `torch.compile` on an NVIDIA GPU, conversions included, at fixed shapes."""

from __future__ import annotations

from pathlib import Path

import torch

from ..shared.settings import LatencySettings
from .base import Rival
from .torch_cuda import TorchCudaRival


def load(model: str | Path, case: LatencySettings) -> Rival:
    """PyTorch with its compiler and CUDA graphs; the first calls compile and record."""
    rival = TorchCudaRival("torch-compile-cuda", model, case)
    rival.module = torch.compile(  # type: ignore[assignment]
        rival.module, dynamic=False, options={"freezing": True, "triton.cudagraphs": True}
    )
    return rival
