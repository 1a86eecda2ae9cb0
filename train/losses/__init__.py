"""A training loss is a weighted sum of terms, written in the config, each logged by its name."""

from __future__ import annotations

from typing import Literal

import msgspec
from torch import Tensor, nn

from .terms import FeatureLoss, PixelLoss
from .vgg import LAYERS, VggFeatures, load_vgg_weights


class PixelLossConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="pixel"
):
    """Per-pixel distance of output and target."""

    norm: Literal["l1", "l2", "charbonnier"] = "l2"
    weight: float = 1.0


class FeatureLossConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="feature"
):
    """Squared distance of VGG-16 features at one or more layers, each with its weight."""

    layers: dict[str, float] = msgspec.field(default_factory=lambda: {"relu2_2": 1.0})
    vgg: str = "torchvision"  # or the path of a torchvision .pth or a Caffe-convention .npz
    weight: float = 1.0

    def __post_init__(self) -> None:
        for layer in self.layers:
            if layer not in LAYERS:
                raise ValueError(f"layers must be of {', '.join(LAYERS)}, not {layer!r}")
        if not self.layers:
            raise ValueError("layers must name at least one VGG-16 layer")


LossConfig = PixelLossConfig | FeatureLossConfig


class WeightedLoss(nn.Module):
    """Sum of weighted terms. Call it with output and target, float N×3×H×W RGB in [0, 1]."""

    def __init__(self, configs: tuple[LossConfig, ...]) -> None:
        super().__init__()
        self.names = tuple(_name(config) for config in configs)
        self.weights = tuple(config.weight for config in configs)
        self.terms = nn.ModuleList(_build(config) for config in configs)

    def forward(self, output: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each unweighted term by name (detached)."""
        total = output.new_zeros(())
        parts = {}
        for name, weight, term in zip(self.names, self.weights, self.terms, strict=True):
            value = term(output, target)
            total = total + weight * value
            parts[name] = value.detach()
        return total, parts


def _name(config: LossConfig) -> str:
    match config:
        case PixelLossConfig():
            return f"pixel_{config.norm}"
        case FeatureLossConfig():
            return "feature_" + "+".join(config.layers)


def _build(config: LossConfig) -> nn.Module:
    match config:
        case PixelLossConfig():
            return PixelLoss(config.norm)
        case FeatureLossConfig():
            features = VggFeatures(tuple(config.layers), load_vgg_weights(config.vgg))
            return FeatureLoss(features, config.layers)


__all__ = ["FeatureLossConfig", "LossConfig", "PixelLossConfig", "WeightedLoss"]
