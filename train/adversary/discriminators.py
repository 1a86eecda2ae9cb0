"""Networks that learn to distinguish photographs from outputs, place by place."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from .spectral import SpectralConv2d

Kind = Literal["patch", "unet"]

SLOPE = 0.2
DOUBLINGS = 3
"""How often both kinds halve the resolution and double the width."""


class PatchDiscriminator(nn.Module):
    """Isola et al. 2017: a logit for each 8×8 pixels, each of which sees 38×38 of them.

    Maps float N×3×H×W RGB in [0, 1] to N×1×(H/8)×(W/8).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = SpectralConv2d(3, channels, 3)
        self.downs = _downs(channels)
        self.last = nn.Conv2d(channels << DOUBLINGS, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features = F.leaky_relu(self.first(images), SLOPE)
        for down in self.downs:
            features = F.leaky_relu(down(features), SLOPE)
        logits: Tensor = self.last(features)
        return logits


class UNetDiscriminator(nn.Module):
    """Schönfeld et al. 2020, in the form of Wang et al. 2021 (Real-ESRGAN): a logit for each pixel,
    from its surroundings and from itself.

    Maps float N×3×H×W RGB in [0, 1] to N×1×H×W.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = SpectralConv2d(3, channels, 3)
        self.downs = _downs(channels)
        widths = [channels << power for power in reversed(range(DOUBLINGS + 1))]
        self.ups = nn.ModuleList(
            SpectralConv2d(inputs, outputs, 3) for inputs, outputs in pairwise(widths)
        )
        self.mixed = SpectralConv2d(channels, channels, 3)
        self.last = nn.Conv2d(channels, 1, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        features = F.leaky_relu(self.first(images), SLOPE)
        levels = []
        for down in self.downs:
            levels.append(features)
            features = F.leaky_relu(down(features), SLOPE)
        for up, level in zip(self.ups, reversed(levels), strict=True):
            larger = F.interpolate(features, level.shape[-2:], mode="bilinear", align_corners=False)
            features = F.leaky_relu(up(larger), SLOPE) + level
        logits: Tensor = self.last(F.leaky_relu(self.mixed(features), SLOPE))
        return logits


def build_discriminator(kind: Kind, channels: int) -> nn.Module:
    """A discriminator with random weights."""
    return PatchDiscriminator(channels) if kind == "patch" else UNetDiscriminator(channels)


def _downs(channels: int) -> nn.ModuleList:
    return nn.ModuleList(
        SpectralConv2d(channels << power, channels << (power + 1), 4, stride=2)
        for power in range(DOUBLINGS)
    )
