"""Small real-time network: a chain of 3×3 convolutions at the input's resolution.

Why it is fast: all work happens at low resolution (Shi et al. 2016, ESPCN), every layer is one
plain 3×3 convolution with ReLU, which inference engines fuse, and there is no tensor besides the
running one. The residual to the nearest-neighbour upsampled input costs nothing: three channels of
every layer carry the input unchanged (ReLU keeps it, since it is never negative), and the last
convolution adds them to its 3·s² outputs.

With `stride = 2` (for ×2) the first convolution is 6×6 with stride 2, that is a 3×3 one over blocks
of 2×2 pixels; all else happens at half the resolution, a quarter of the cost, and the pixel shuffle
is by 2·s. The block's 12 values are then what is carried.

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
    channels: int = 32  # width of every layer, 3·stride² of which carry the input
    layers: int = 6  # convolutions with ReLU before the last one
    expansion: int = 4  # width of the training-time 3×3 → 1×1 branch, in units of `channels`
    stride: int = 1  # of the first convolution; 2 computes at half the input's resolution

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4, 8):
            raise ValueError(f"scale must be 2, 3, 4 or 8, not {self.scale}")
        if self.stride not in (1, 2):
            raise ValueError(f"stride must be 1 or 2, not {self.stride}")
        if self.channels <= self.carried or self.layers < 1 or self.expansion < 1:
            raise ValueError(
                f"channels must exceed {self.carried}, layers and expansion must be at least 1"
            )

    @property
    def carried(self) -> int:
        """Channels that carry the input: one block of stride×stride RGB pixels."""
        return RGB * self.stride**2


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
    """See the module docstring. Merged: `layers` × (Conv + ReLU), Conv3×3, PixelShuffle."""

    def __init__(self, config: RealtimeConfig) -> None:
        super().__init__()
        self.scale = config.scale
        self.stride = self.size_multiple = config.stride
        self.carried = config.carried
        self.halo = config.stride * (config.layers + 1) + config.stride - 1
        self.shuffle = config.scale * config.stride
        outputs = RGB * self.shuffle**2
        learned = config.channels - config.carried
        inputs = [config.carried] + [config.channels] * (config.layers - 1)
        self.body = nn.ModuleList(MergedConv(n, learned, config.expansion) for n in inputs)
        self.head = MergedConv(config.channels, outputs, config.expansion)
        with torch.no_grad():  # start as nearest-neighbour upsampling plus a small change
            for parameter in (self.head.direct, self.head.project):
                parameter.mul_(0.1)
        nearest = torch.zeros(outputs, config.channels, 3, 3)
        for k in range(outputs):
            nearest[k, learned + self._source(k), 1, 1] = 1
        self.register_buffer("nearest", nearest, persistent=False)

    def _source(self, output: int) -> int:
        """The carried channel that an output of the last convolution shows magnified."""
        colour, place = divmod(output, self.shuffle**2)
        row, column = (side // self.scale for side in divmod(place, self.shuffle))
        return (colour * self.stride + row) * self.stride + column

    def merged(self) -> list[tuple[Tensor, Tensor]]:
        """Kernel and bias of each convolution of the deployed network, in order.

        The first has kernels 3·stride wide; it runs with that stride, the others with 1.
        """
        *layers, (weight, bias) = self._convolutions()
        return [*layers, (weight + self.get_buffer("nearest"), bias)]

    def _convolutions(self) -> list[tuple[Tensor, Tensor]]:
        """As `merged`, but the last one gives the residual alone."""
        layers = []
        for block in self.body:
            assert isinstance(block, MergedConv)
            weight, bias = block.weight_and_bias()
            carry = weight.new_zeros(self.carried, weight.shape[1], 3, 3)
            for c in range(self.carried):
                carry[c, weight.shape[1] - self.carried + c, 1, 1] = 1
            layers.append((torch.cat((weight, carry)), F.pad(bias, (0, self.carried))))
        first, bias = layers[0]
        # From blocks as channels to the pixels themselves: a shuffle of the kernel's own taps.
        layers[0] = (F.pixel_shuffle(first, self.stride), bias)
        return [*layers, self.head.weight_and_bias()]

    def forward(self, lr: Tensor) -> Tensor:
        first, *body, head = self._convolutions()
        # bfloat16 has no more digits than a picture: it would round what the first convolution
        # reads, and the magnified input that the residual is added to, by up to half a code.
        with torch.autocast(lr.device.type, enabled=False):
            features = F.relu(F.conv2d(lr, *first, stride=self.stride, padding=self.stride))
        for kernel in body:
            features = F.relu(F.conv2d(features, *kernel, padding=1))
        residual = F.pixel_shuffle(F.conv2d(features, *head, padding=1), self.shuffle)
        return residual + F.interpolate(lr, scale_factor=float(self.scale), mode="nearest")

    def deploy(self) -> nn.Module:
        modules: list[nn.Module] = []
        stride = self.stride
        for weight, bias in self.merged():
            outputs, inputs, side, _ = weight.shape
            conv = nn.Conv2d(inputs, outputs, side, stride=stride, padding=stride)
            with torch.no_grad():
                conv.weight.copy_(weight)
                assert conv.bias is not None
                conv.bias.copy_(bias)
            modules += [conv, nn.ReLU()]
            stride = 1
        return nn.Sequential(*modules[:-1], nn.PixelShuffle(self.shuffle)).eval()
