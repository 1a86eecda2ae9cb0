"""Single loss terms: each maps (output, target), float N×3×H×W RGB in [0, 1], to a scalar."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .vgg import VggFeatures


def charbonnier(output: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of √(d² + ε²): L1 with a smooth zero (Lai et al. 2017, LapSRN)."""
    return torch.sqrt((output - target).square() + epsilon**2).mean()


class PixelLoss(nn.Module):
    """Per-pixel loss. `l2` is the paper's ℓ_pixel: squared distance divided by C·H·W."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        distances: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "l1": F.l1_loss,
            "l2": F.mse_loss,
            "charbonnier": charbonnier,
        }
        self.distance = distances[norm]

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return self.distance(output, target)


class FeatureLoss(nn.Module):
    """Feature reconstruction loss (Johnson et al. 2016, equation 2), mean over the batch.

    ‖φ_j(ŷ) − φ_j(y)‖² / (C_j·H_j·W_j) for each VGG-16 layer j, summed with the given weights. The
    target's features are computed without a graph; gradient flows only to the output.
    """

    def __init__(self, features: VggFeatures, layer_weights: dict[str, float]) -> None:
        super().__init__()
        self.features = features
        self.layer_weights = layer_weights

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self.features(target)
        got = self.features(output)
        total = output.new_zeros(())
        for layer, weight in self.layer_weights.items():
            total = total + weight * F.mse_loss(got[layer], wanted[layer])
        return total
