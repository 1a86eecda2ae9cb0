"""What every network offers to the trainer and to export."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class SRNetwork(nn.Module, ABC):
    """A network on frames: float N×3×H×W RGB in [0, 1] to N×3×(sH)×(sW), same convention.

    The output is not clamped during training; export clamps and rounds.
    """

    scale: int
    """Upscaling factor; 1 for networks that keep the size."""
    halo: int | None
    """Receptive-field radius in input pixels: how far an input pixel reaches, at most; None if
    every output pixel depends on the whole frame."""
    size_multiple: int = 1
    """Input height and width must be multiples of this."""
    minimum_side: int = 1
    """Input height and width must be at least this."""

    @abstractmethod
    def forward(self, lr: Tensor) -> Tensor:
        """Float N×3×H×W in [0, 1] to N×3×(sH)×(sW)."""

    @abstractmethod
    def deploy(self) -> nn.Module:
        """A copy for inference, equal to `forward` in eval: branches merged, norms folded."""
