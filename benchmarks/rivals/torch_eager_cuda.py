"""Plain PyTorch on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path

from ..shared.settings import LatencySettings
from .base import Rival
from .torch_cuda import TorchCudaRival


def load(model: str | Path, case: LatencySettings) -> Rival:
    """The network call by call."""
    return TorchCudaRival("torch-eager-cuda", model, case)
