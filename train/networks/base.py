"""What every network offers to the trainer and to export."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class SRNetwork(nn.Module, ABC):
    """A super-resolution network: float N×3×H×W RGB in [0, 1] to N×3×(sH)×(sW), same convention.

    The output is not clamped during training; export clamps and rounds.
    """

    scale: int
    """Upscaling factor."""
    halo: int
    """Receptive-field radius in input pixels: how far an input pixel reaches, at most."""
    size_multiple: int = 1
    """Input height and width must be multiples of this."""

    @abstractmethod
    def forward(self, lr: Tensor) -> Tensor:
        """Upscale: float N×3×H×W in [0, 1] to N×3×(sH)×(sW)."""

    @abstractmethod
    def deploy(self) -> nn.Module:
        """A copy for inference, equal to `forward` in eval: branches merged, norms folded."""
