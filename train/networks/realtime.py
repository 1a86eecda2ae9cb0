"""Small real-time network: a chain of 3×3 convolutions at the input's resolution.

Why it is fast: all work happens at low resolution (Shi et al. 2016, ESPCN), every layer is one
plain 3×3 convolution with ReLU, which inference engines fuse, and there is no tensor besides the
running one. The residual to the nearest-neighbour upsampled input costs nothing: three channels of
every layer carry the input unchanged (ReLU keeps it, since it is never negative), and the last
convolution adds them to its 3·s² outputs.

In training each convolution is the sum of four linear branches, merged in weight space before the
one convolution that is run (as Bhardwaj et al. 2022, SESR, train collapsed blocks).
"""

from __future__ import annotations

import msgspec
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .base import SRNetwork

RGB = 3


class RealtimeConfig(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="name", tag="realtime"
):
    """Hyper-parameters of `Realtime`."""

    scale: int = 4
    channels: int = 32  # width of every layer, 3 of which carry the input
    layers: int = 6  # convolutions with ReLU before the last one
    expansion: int = 4  # width of the training-time 3×3 → 1×1 branch, in units of `channels`

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4, 8):
            raise ValueError(f"scale must be 2, 3, 4 or 8, not {self.scale}")
        if self.channels <= RGB or self.layers < 1 or self.expansion < 1:
            raise ValueError("channels must exceed 3, layers and expansion must be at least 1")


class MergedConv(nn.Module):
    """3×3 convolution trained as 3×3 + 1×1 + (3×3 → 1×1 expanded), always run as one 3×3.

    `weight_and_bias` gives the exact merged kernel: all branches are linear and see the same zero
    padding, so the sum of the branches equals the convolution with the sum of their kernels.
    """

    def __init__(self, inputs: int, outputs: int, expansion: int) -> None:
        super().__init__()
        wide = expansion * max(inputs, outputs)
        self.direct = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        self.point = nn.Parameter(torch.zeros(outputs, inputs))
        self.expand = nn.Parameter(torch.empty(wide, inputs, 3, 3))
        self.project = nn.Parameter(torch.empty(outputs, wide))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.direct, nonlinearity="relu")
        nn.init.kaiming_normal_(self.expand, nonlinearity="linear")
        nn.init.kaiming_normal_(self.project, nonlinearity="linear")
        with torch.no_grad():  # two branches of equal variance: keep the variance of one
            self.direct.mul_(0.5**0.5)

    def weight_and_bias(self) -> tuple[Tensor, Tensor]:
        """The merged kernel (outputs × inputs × 3 × 3) and bias (outputs)."""
        wide = self.expand.shape[0]
        expanded = (self.project @ self.expand.reshape(wide, -1)).view_as(self.direct)
        point = F.pad(self.point[:, :, None, None], (1, 1, 1, 1))
        return self.direct + expanded + point, self.bias


class Realtime(SRNetwork):
    """See the module docstring. Merged: `layers` × (Conv3×3 + ReLU), Conv3×3, PixelShuffle."""

    def __init__(self, config: RealtimeConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.halo = config.layers + 1
        outputs = RGB * config.scale**2
        learned = config.channels - RGB
        inputs = [RGB] + [config.channels] * (config.layers - 1)
        self.body = nn.ModuleList(MergedConv(n, learned, config.expansion) for n in inputs)
        self.head = MergedConv(config.channels, outputs, config.expansion)
        with torch.no_grad():  # start as nearest-neighbour upsampling plus a small change
            for parameter in (self.head.direct, self.head.project):
                parameter.mul_(0.1)
        nearest = torch.zeros(outputs, config.channels, 3, 3)
        for k in range(outputs):
            nearest[k, learned + k // config.scale**2, 1, 1] = 1
        self.register_buffer("nearest", nearest, persistent=False)

    def merged(self) -> list[tuple[Tensor, Tensor]]:
        """Kernel and bias of each convolution of the deployed network, in order."""
        layers = []
        for block in self.body:
            assert isinstance(block, MergedConv)
            weight, bias = block.weight_and_bias()
            carry = weight.new_zeros(RGB, weight.shape[1], 3, 3)
            for c in range(RGB):
                carry[c, weight.shape[1] - RGB + c, 1, 1] = 1
            layers.append((torch.cat((weight, carry)), F.pad(bias, (0, RGB))))
        weight, bias = self.head.weight_and_bias()
        nearest = self.get_buffer("nearest")
        return [*layers, (weight + nearest, bias)]

    def forward(self, lr: Tensor) -> Tensor:
        *body, head = self.merged()
        features = lr
        for weight, bias in body:
            features = F.relu(F.conv2d(features, weight, bias, padding=1))
        return F.pixel_shuffle(F.conv2d(features, *head, padding=1), self.scale)

    def deploy(self) -> nn.Module:
        modules: list[nn.Module] = []
        for weight, bias in self.merged():
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            with torch.no_grad():
                conv.weight.copy_(weight)
                assert conv.bias is not None
                conv.bias.copy_(bias)
            modules += [conv, nn.ReLU()]
        return nn.Sequential(*modules[:-1], nn.PixelShuffle(self.scale)).eval()
