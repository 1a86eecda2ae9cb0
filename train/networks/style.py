"""The image transformation network of Johnson, Alahi & Fei-Fei 2016 for style transfer.

Section 3.1 of the paper and Table 1 of its supplement: 9×9×32 convolution, 3×3×64 and 3×3×128 of
stride 2, five residual blocks of 128, 3×3×64 and 3×3×32 of stride ½, 9×9×3 and a scaled tanh. A
norm and ReLU follow every non-residual convolution but the last.

Edges are reflected, so that no dark border is stylised: before every convolution, where the paper
reflects 40 pixels once and lets unpadded blocks use them up. Small frames can be run this way, and
tiles compute no margin that is cut off.

By the config: batch norm as in the paper, or instance norm, with which networks learn styles faster
and better (Ulyanov et al. 2016), but which makes every pixel depend on the whole frame; transposed
convolutions as in the paper, or nearest-neighbour upsampling and a convolution, which leaves no
checkerboard (Odena et al. 2016).
"""

from __future__ import annotations

import copy
from typing import Literal

import msgspec
from torch import Tensor, nn

from .base import SRNetwork
from .johnson import ResidualBlock, ScaledTanh, fold_norms

REDUCTION = 4
"""The residual blocks work at this fraction of the frame's resolution."""

EPSILON = 1e-2
"""Added to the variances of instance norms, which are above 1e-2 in pictures with any detail. Of a
frame of one colour they are 0, and PyTorch's 1e-5 would make a picture of the rounding errors."""


class StyleConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="style"
):
    """Hyper-parameters of `StyleNetwork`; sizes are the paper's."""

    channels: int = 32  # width at full resolution; doubled at each of two reductions
    blocks: int = 5  # residual blocks
    norm: Literal["instance", "batch"] = "instance"
    upsampling: Literal["nearest", "transposed"] = "nearest"

    def __post_init__(self) -> None:
        if self.channels < 1 or self.blocks < 0:
            raise ValueError("channels must be at least 1 and blocks at least 0")

    @property
    def scale(self) -> int:
        """Input and output have one size."""
        return 1


class StyleNetwork(SRNetwork):
    """See the module docstring."""

    scale = 1
    size_multiple = REDUCTION
    minimum_side = 2 * REDUCTION  # what is reflected must be there

    def __init__(self, config: StyleConfig) -> None:
        super().__init__()
        width = config.channels
        layers = [
            *_stage(_conv(3, width, 9), config),
            *_stage(_conv(width, 2 * width, 3, stride=2), config),
            *_stage(_conv(2 * width, 4 * width, 3, stride=2), config),
            *(_block(4 * width, config) for _ in range(config.blocks)),
        ]
        for inputs in (4 * width, 2 * width):
            layers += _upsampling(inputs, inputs // 2, config)
        self.net = nn.Sequential(*layers, _conv(width, 3, 9), ScaledTanh())
        self.halo = _radius(config)

    def forward(self, content: Tensor) -> Tensor:
        stylised: Tensor = self.net(content)
        return stylised

    def deploy(self) -> nn.Module:
        return fold_norms(copy.deepcopy(self.net).eval())


def _conv(inputs: int, outputs: int, side: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        inputs, outputs, side, stride=stride, padding=side // 2, padding_mode="reflect"
    )


def _norm(width: int, config: StyleConfig) -> nn.Module:
    if config.norm == "batch":
        return nn.BatchNorm2d(width)
    return nn.InstanceNorm2d(width, eps=EPSILON, affine=True)


def _stage(conv: nn.Conv2d | nn.ConvTranspose2d, config: StyleConfig) -> list[nn.Module]:
    return [conv, _norm(conv.out_channels, config), nn.ReLU()]


def _block(width: int, config: StyleConfig) -> ResidualBlock:
    return ResidualBlock(
        *_stage(_conv(width, width, 3), config), _conv(width, width, 3), _norm(width, config)
    )


def _upsampling(inputs: int, outputs: int, config: StyleConfig) -> list[nn.Module]:
    """One doubling of the resolution."""
    if config.upsampling == "nearest":
        return [nn.Upsample(scale_factor=2), *_stage(_conv(inputs, outputs, 3), config)]
    conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1)
    return _stage(conv, config)


def _radius(config: StyleConfig) -> int | None:
    """How far an output pixel sees, from the intervals that it depends on, last layer first.

    It differs with a pixel's place among the 4×4 that share one position of the blocks.
    """
    if config.norm == "instance":
        return None
    reach = 0
    for place in range(REDUCTION):
        first, last = place - 4, place + 4
        for _ in range(2):
            if config.upsampling == "nearest":
                first, last = (first - 1) // 2, (last + 1) // 2
            else:
                first, last = first // 2, (last + 1) // 2
        first, last = first - 2 * config.blocks, last + 2 * config.blocks
        for _ in range(2):
            first, last = 2 * first - 1, 2 * last + 1
        reach = max(reach, place - (first - 4), last + 4 - place)
    return reach
