"""A training loss is a weighted sum of terms, written in the config, each logged by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .configs import (
    FeatureLossConfig,
    LossConfig,
    PixelLossConfig,
    StyleLossConfig,
    TotalVariationConfig,
)
from .terms import FeatureLoss, PixelLoss, StyleLoss, TotalVariation
from .vgg import VggFeatures, load_vgg_weights


class WeightedLoss(nn.Module):
    """Sum of weighted terms. Call it with output and target, float N×3×H×W RGB in [0, 1].

    All terms on the same VGG weights share one frozen network, which is run once for the output and
    once, without a graph, for the target. Raises CheckpointError for weights that cannot be read or
    lack a layer.
    """

    def __init__(self, configs: Sequence[LossConfig], vgg: str = "torchvision") -> None:
        super().__init__()
        self.names = _unique_names(configs)
        self.weights = tuple(config.weight for config in configs)
        self.terms = nn.ModuleList(_build(config) for config in configs)
        sources = [_source(config, vgg) for config in configs]
        used = sorted({source for source in sources if source})
        self.vggs = nn.ModuleList(
            VggFeatures(_layers_from(source, configs, sources), load_vgg_weights(source))
            for source in used
        )
        self._vgg_of_term = [used.index(source) if source else None for source in sources]

    def forward(self, output: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each unweighted term by name (detached)."""
        with torch.no_grad():
            wanted = [vgg(target) for vgg in self.vggs]
        got = [vgg(output) for vgg in self.vggs]
        total = output.new_zeros((), dtype=torch.float32)
        parts = {}
        for name, weight, term, vgg in zip(
            self.names, self.weights, self.terms, self._vgg_of_term, strict=True
        ):
            value = term(output, target) if vgg is None else term(got[vgg], wanted[vgg])
            total = total + weight * value
            parts[name] = value.detach()
        return total, parts


def _unique_names(configs: Sequence[LossConfig]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names = []
    for config in configs:
        seen[config.name] += 1
        count = seen[config.name]
        names.append(config.name if count == 1 else f"{config.name}_{count}")
    return tuple(names)


def _source(config: LossConfig, vgg: str) -> str:
    """Where a term's VGG weights come from; empty if it needs none."""
    return config.vgg or vgg if isinstance(config, FeatureLossConfig | StyleLossConfig) else ""


def _layers_from(
    source: str, configs: Sequence[LossConfig], sources: Sequence[str]
) -> tuple[str, ...]:
    layers: dict[str, None] = {}
    for config, used in zip(configs, sources, strict=True):
        if used == source and isinstance(config, FeatureLossConfig | StyleLossConfig):
            layers.update(dict.fromkeys(config.layers))
    return tuple(layers)


def _build(config: LossConfig) -> nn.Module:
    match config:
        case PixelLossConfig():
            return PixelLoss(config.norm)
        case FeatureLossConfig():
            return FeatureLoss(config.layers)
        case StyleLossConfig():
            return StyleLoss(config.layers)
        case TotalVariationConfig():
            return TotalVariation()


__all__ = [
    "FeatureLossConfig",
    "LossConfig",
    "PixelLossConfig",
    "StyleLossConfig",
    "TotalVariationConfig",
    "WeightedLoss",
]
