"""The community's SRVGGNetCompact topology (the "compact" family of Real-ESRGAN and its heirs).

A chain of 3×3 convolutions with activations at the input's resolution, pixel shuffle, and the
nearest-neighbour upsampled input added. Parameters carry the names of the community's state dicts
(`body.0.weight`, `body.1.weight`, ...), so that their weights load as they are.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import SRNetwork

RGB = 3


class CompactConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="compact"
):
    """Hyper-parameters of `Compact`, under the community's names."""

    scale: int = 4
    num_feat: int = 64  # width of every layer
    num_conv: int = 16  # convolutions between the first and the last
    act: Literal["prelu", "relu", "leakyrelu"] = "prelu"

    def __post_init__(self) -> None:
        if self.scale not in (1, 2, 3, 4, 8):
            raise ValueError(f"scale must be 1, 2, 3, 4 or 8, not {self.scale}")
        if self.num_feat < 1 or self.num_conv < 0:
            raise ValueError("num_feat must be at least 1 and num_conv at least 0")


def compact_config_of(weights: Mapping[str, Tensor]) -> CompactConfig:
    """The hyper-parameters of a community state dict, read off the shapes of its tensors.

    A state dict does not show whether it is ReLU or leaky ReLU; without PReLU slopes `relu` is
    assumed. Raises ValueError if the weights are not of this topology.
    """
    kernels = {
        int(name.split(".")[1]): tensor
        for name, tensor in weights.items()
        if name.startswith("body.") and name.endswith(".weight") and tensor.ndim == 4
    }
    if 0 not in kernels or len(kernels) < 2 or kernels[0].shape[1] != RGB:
        raise ValueError("not a state dict of SRVGGNetCompact for RGB images")
    outputs = len(kernels[max(kernels)])
    scale = round((outputs / RGB) ** 0.5)
    if outputs != RGB * scale**2:
        raise ValueError(f"the last convolution has {outputs} outputs, not 3·scale²")
    act: Literal["prelu", "relu"] = "prelu" if "body.1.weight" in weights else "relu"
    return CompactConfig(scale, len(kernels[0]), len(kernels) - 2, act)


class Compact(SRNetwork):
    """See the module docstring."""

    def __init__(self, config: CompactConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.halo = config.num_conv + 2
        width, outputs = config.num_feat, RGB * config.scale**2
        self.body = nn.ModuleList()
        for inputs in [RGB] + [width] * config.num_conv:
            self.body.append(nn.Conv2d(inputs, width, 3, padding=1))
            self.body.append(_activation(config))
        self.body.append(nn.Conv2d(width, outputs, 3, padding=1))

    def forward(self, lr: Tensor) -> Tensor:
        features = lr
        for layer in self.body:
            features = layer(features)
        return F.pixel_shuffle(features, self.scale) + F.interpolate(lr, scale_factor=self.scale)

    def deploy(self) -> nn.Module:
        return DeployedCompact(self).eval()


class DeployedCompact(nn.Module):
    """`Compact` with the residual added before the shuffle, where it has s² times fewer rows.

    Nearest-neighbour upsampling is there a 1×1 convolution that repeats each channel s² times, so
    the graph is Conv, activation, Add and DepthToSpace, without a Resize.
    """

    def __init__(self, network: Compact) -> None:
        super().__init__()
        self.body = nn.Sequential(*copy.deepcopy(network.body))
        outputs = RGB * network.scale**2
        self.nearest = nn.Conv2d(RGB, outputs, 1, bias=False)
        with torch.no_grad():
            repeated = torch.eye(RGB).repeat_interleave(network.scale**2, 0)
            self.nearest.weight.copy_(repeated[:, :, None, None])
        self.shuffle = nn.PixelShuffle(network.scale)

    def forward(self, lr: Tensor) -> Tensor:
        upscaled: Tensor = self.shuffle(self.body(lr) + self.nearest(lr))
        return upscaled


def _activation(config: CompactConfig) -> nn.Module:
    match config.act:
        case "prelu":
            return nn.PReLU(config.num_feat)
        case "relu":
            return nn.ReLU()
        case "leakyrelu":
            return nn.LeakyReLU(0.1)
