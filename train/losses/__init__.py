"""A training loss is a weighted sum of terms, written in the config, each logged by its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .configs import (
    AdversarialConfig,
    ExcessConfig,
    FeatureLossConfig,
    LossConfig,
    PhaseConfig,
    PixelLossConfig,
    SpectrumConfig,
    StabilityConfig,
    StyleLossConfig,
    TotalVariationConfig,
)
from .patterns import ExcessLoss, PhaseLoss, SpectrumLoss
from .terms import (
    FeatureLoss,
    PixelLoss,
    StabilityLoss,
    StyleLoss,
    TotalVariation,
)
from .vgg import VggFeatures, load_vgg_weights


class WeightedLoss(nn.Module):
    """Sum of weighted terms. Call it with output and target, float N×3×H×W RGB in [0, 1].

    All terms on the same VGG weights share one frozen network, which is run once for the output and
    once, without a graph, for the target. With `style_image`, 1×3×H×W in the same convention, style
    terms compare with its Gram matrices, computed here once. Adversarial terms are left out: they
    change with the discriminator, which `framelift.train.adversary` trains. Raises CheckpointError
    for weights that cannot be read or lack a layer.
    """

    def __init__(
        self,
        configs: Sequence[LossConfig],
        vgg: str = "torchvision",
        style_image: Tensor | None = None,
    ) -> None:
        super().__init__()
        configs = [config for config in configs if not isinstance(config, AdversarialConfig)]
        self.names = _unique_names(configs)
        self.weights = tuple(config.weight for config in configs)
        sources = [_source(config, vgg) for config in configs]
        used = sorted({source for source in sources if source})
        vggs = [
            VggFeatures(_layers_from(source, configs, sources), load_vgg_weights(source))
            for source in used
        ]
        self.vggs = nn.ModuleList(vggs)
        self._vgg_of_term = [used.index(source) if source else None for source in sources]
        style = None if style_image is None else _style_features(vggs, style_image)
        self.terms = nn.ModuleList(
            _build(config, style[index] if style and index is not None else None)
            for config, index in zip(configs, self._vgg_of_term, strict=True)
        )
        fixed = [isinstance(term, StyleLoss) and term.is_fixed for term in self.terms]
        compared = [source if not f else "" for source, f in zip(sources, fixed, strict=True)]
        self._target_layers = [_layers_from(source, configs, compared) for source in used]
        noises = [config.noise for config in configs if isinstance(config, StabilityConfig)]
        self.noise = max(noises, default=0.0) / 255
        """σ of the noise that a stability term needs a second output for; 0 without such a term."""

    def forward(
        self, output: Tensor, target: Tensor, noisy: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each unweighted term by name (detached).

        `noisy` is the output for the input with noise of deviation `noise`, if that is not 0.
        """
        with torch.no_grad():
            wanted = [
                vgg(target, layers) if layers else {}
                for vgg, layers in zip(self.vggs, self._target_layers, strict=True)
            ]
        got = [vgg(output) for vgg in self.vggs]
        total = output.new_zeros((), dtype=torch.float32)
        parts = {}
        for name, weight, term, vgg in zip(
            self.names, self.weights, self.terms, self._vgg_of_term, strict=True
        ):
            if vgg is not None:
                value = term(got[vgg], wanted[vgg])
            else:
                value = term(output, noisy if isinstance(term, StabilityLoss) else target)
            total = total + weight * value
            parts[name] = value.detach()
        return total, parts


def _style_features(vggs: Sequence[VggFeatures], image: Tensor) -> list[dict[str, Tensor]]:
    with torch.no_grad():
        return [vgg(image) for vgg in vggs]


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


def _build(config: LossConfig, style: dict[str, Tensor] | None) -> nn.Module:
    match config:
        case PixelLossConfig():
            return PixelLoss(config.norm, config.of)
        case FeatureLossConfig():
            return FeatureLoss(config.layers, config.distance == "unit")
        case StyleLossConfig():
            return StyleLoss(config.layers, style)
        case SpectrumConfig():
            return SpectrumLoss(config.scale, config.limit, config.grid)
        case PhaseConfig():
            return PhaseLoss(config.scale, config.limit)
        case ExcessConfig():
            return ExcessLoss(config.reach)
        case TotalVariationConfig():
            return TotalVariation()
        case StabilityConfig():
            return StabilityLoss()
        case AdversarialConfig():
            raise AssertionError("no term of two images alone")


__all__ = [
    "AdversarialConfig",
    "ExcessConfig",
    "FeatureLossConfig",
    "LossConfig",
    "PhaseConfig",
    "PixelLossConfig",
    "SpectrumConfig",
    "StabilityConfig",
    "StyleLossConfig",
    "TotalVariationConfig",
    "WeightedLoss",
]
