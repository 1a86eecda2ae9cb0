"""The image transformation network of Johnson, Alahi & Fei-Fei 2016 for super-resolution.

Section 3.1 of the paper and Table 2 of its supplement: 9×9×64 convolution, four residual blocks
(conv-BN-ReLU-conv-BN, no ReLU after the sum: Gross & Wilber 2016), log2(scale) convolutions 3×3×64
of stride ½, 9×9×3 convolution and a scaled tanh. Batch norm and ReLU follow every non-residual
convolution but the last.

Two departures are offered: nearest-neighbour upsampling and a plain convolution instead of the
transposed one, whose uneven overlap shows as a checkerboard (Odena et al. 2016), and no norms.
"""

from __future__ import annotations

import copy
from typing import Literal

import msgspec
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .base import SRNetwork


class JohnsonConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="johnson"
):
    """Hyper-parameters of `Johnson`; the defaults are the paper's."""

    scale: int = 4
    channels: int = 64
    blocks: int = 4
    upsampling: Literal["transposed", "nearest"] = "transposed"
    norm: Literal["batch", "none"] = "batch"

    def __post_init__(self) -> None:
        if self.scale not in (2, 4, 8):
            raise ValueError(f"scale must be 2, 4 or 8, not {self.scale}")
        if self.channels < 1 or self.blocks < 0:
            raise ValueError("channels must be at least 1 and blocks at least 0")


def norm_of(config: JohnsonConfig) -> list[nn.Module]:
    """What follows a convolution: one batch norm, or nothing."""
    return [nn.BatchNorm2d(config.channels)] if config.norm == "batch" else []


def upsampling_of(config: JohnsonConfig) -> list[nn.Module]:
    """One doubling of the resolution."""
    width = config.channels
    if config.upsampling == "nearest":
        return [nn.Upsample(scale_factor=2), nn.Conv2d(width, width, 3, padding=1)]
    return [nn.ConvTranspose2d(width, width, 3, stride=2, padding=1, output_padding=1)]


class ResidualBlock(nn.Module):
    """The given layers plus the input, without ReLU after the sum."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        residual: Tensor = self.body(x)
        return x + residual


def residual_block(config: JohnsonConfig) -> ResidualBlock:
    """conv-norm-ReLU-conv-norm plus the input."""
    width = config.channels
    return ResidualBlock(
        nn.Conv2d(width, width, 3, padding=1),
        *norm_of(config),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1),
        *norm_of(config),
    )


class ScaledTanh(nn.Module):
    """tanh moved to the picture's range, here [0, 1] (the paper: [0, 255])."""

    def forward(self, x: Tensor) -> Tensor:
        return 0.5 + 0.5 * x.float().tanh()  # bfloat16 would round it to about a code


class Johnson(SRNetwork):
    """See the module docstring."""

    def __init__(self, config: JohnsonConfig) -> None:
        super().__init__()
        self.scale = config.scale
        width = config.channels
        stages = config.scale.bit_length() - 1
        upsampling: list[nn.Module] = []
        for _ in range(stages):
            upsampling += [*upsampling_of(config), *norm_of(config), nn.ReLU()]
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 9, padding=4),
            *norm_of(config),
            nn.ReLU(),
            *(residual_block(config) for _ in range(config.blocks)),
            *upsampling,
            nn.Conv2d(width, 3, 9, padding=4),
            ScaledTanh(),
        )
        radius = 4  # of the last 9×9; each stage then looks one pixel on and halves it
        for _ in range(stages):
            radius = (radius + 2) // 2
        self.halo = radius + 2 * config.blocks + 4

    def forward(self, lr: Tensor) -> Tensor:
        upscaled: Tensor = self.net(lr)
        return upscaled

    def deploy(self) -> nn.Module:
        return fold_norms(copy.deepcopy(self.net).eval())


def fold_norms(net: nn.Sequential) -> nn.Sequential:
    """Fold each batch norm (in eval mode) into the convolution before it, also inside blocks."""
    modules: list[nn.Module] = []
    for module in net:
        if isinstance(module, ResidualBlock):
            module.body = fold_norms(module.body)
        if isinstance(module, nn.BatchNorm2d):
            conv = modules.pop()
            assert isinstance(conv, (nn.Conv2d, nn.ConvTranspose2d))
            transpose = isinstance(conv, nn.ConvTranspose2d)
            module = fuse_conv_bn_eval(conv, module, transpose)
        modules.append(module)
    return nn.Sequential(*modules)
