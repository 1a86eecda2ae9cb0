"""Single loss terms, each a scalar, computed in float32 whatever precision the network runs in.

Terms on pixels map (output, target), float N×3×H×W RGB in [0, 1]; terms on features map the same
pair seen through VGG-16, {layer: N×C×H×W}.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...imaging.colour import LUMA_BT601

Features = Mapping[str, Tensor]


def charbonnier(output: Tensor, target: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of √(d² + ε²): L1 with a smooth zero (Lai et al. 2017, LapSRN)."""
    return torch.sqrt((output - target).square() + epsilon**2).mean()


def luma(rgb: Tensor) -> Tensor:
    """Luma N×H×W of BT.601 of N×3×H×W RGB, in the same range."""
    red, green, blue = (
        weight * plane for weight, plane in zip(LUMA_BT601, rgb.unbind(1), strict=True)
    )
    return red + green + blue


class PixelLoss(nn.Module):
    """Loss on pixels. `l2` is the paper's ℓ_pixel: squared distance divided by C·H·W.

    Of `luma`, the distance is that of 0.299 R + 0.587 G + 0.114 B (BT.601), divided by H·W. Of
    `chroma`, it is that of R, G and B less luma: it keeps feature losses from drawing coloured
    grids and specks, and leaves the texture of brightness free. Of `means`, it is that of the means
    over squares of 16 pixels a side (cut at the right and lower edge), divided by C times their
    count: it keeps colour and brightness, which feature losses let drift, and leaves detail free.
    """

    _SQUARE = 16

    def __init__(self, norm: str, of: str = "rgb") -> None:
        super().__init__()
        self.of = of
        distances: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "l1": F.l1_loss,
            "l2": F.mse_loss,
            "charbonnier": charbonnier,
        }
        self.distance = distances[norm]

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        output, target = output.float(), target.float()
        if self.of == "luma":
            output, target = luma(output), luma(target)
        elif self.of == "chroma":
            output, target = (images - luma(images)[:, None] for images in (output, target))
        elif self.of == "means":
            output, target = (
                F.avg_pool2d(images, self._SQUARE, ceil_mode=True) for images in (output, target)
            )
        return self.distance(output, target)


class TotalVariation(nn.Module):
    """Squared differences of neighbouring pixels of the output, summed over both directions.

    Mahendran & Vedaldi's regulariser with β = 2, divided by C·H·W so that its weight does not
    depend on the crop.
    """

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        x = output.float()
        down = (x[:, :, 1:] - x[:, :, :-1]).square().sum()
        right = (x[:, :, :, 1:] - x[:, :, :, :-1]).square().sum()
        return (down + right) / x.numel()


class FeatureLoss(nn.Module):
    """Feature reconstruction loss (Johnson et al. 2016, equation 2), mean over the batch.

    ‖φ_j(ŷ) − φ_j(y)‖² / (C_j·H_j·W_j) for each VGG-16 layer j, summed with the given weights. With
    `unit`, the channels at each position are first divided by their length, and the squared
    distance is summed over channels and averaged over positions (Zhang et al. 2018, "The
    unreasonable effectiveness of deep features as a perceptual metric", without its learned
    weights): 0 to 2 a layer, so that no layer outweighs another by the size of its numbers.
    """

    def __init__(self, layer_weights: Mapping[str, float], unit: bool = False) -> None:
        super().__init__()
        self.layer_weights = dict(layer_weights)
        self.distance = unit_distance if unit else F.mse_loss

    def forward(self, got: Features, wanted: Features) -> Tensor:
        distances = [
            weight * self.distance(got[layer].float(), wanted[layer].float())
            for layer, weight in self.layer_weights.items()
        ]
        return torch.stack(distances).sum()


def unit_distance(got: Tensor, wanted: Tensor) -> Tensor:
    """Squared distance of features N×C×H×W that are scaled to length 1 over C; a mean over N, H, W.

    Where all features are 0, as ReLUs leave flat parts of a picture, they stay 0.
    """
    units = (features / (_length(features) + 1e-8) for features in (got, wanted))
    return torch.sub(*units).square().sum(1).mean()


def _length(features: Tensor) -> Tensor:
    """Over the channels, N×1×H×W; its gradient is finite at 0 too."""
    return (features.square().sum(1, keepdim=True) + 1e-12).sqrt()


class StyleLoss(nn.Module):
    """Style reconstruction loss (Johnson et al. 2016, equation 4), mean over the batch.

    Squared Frobenius distance of the Gram matrices of each layer, summed with the given weights.
    They are compared with the target's, or with those of the features `style` (N = 1), which are
    computed here once.
    """

    def __init__(self, layer_weights: Mapping[str, float], style: Features | None = None) -> None:
        super().__init__()
        self.layer_weights = dict(layer_weights)
        self.is_fixed = style is not None
        if style is not None:
            for layer in layer_weights:
                self.register_buffer(f"gram_{layer}", gram(style[layer]), persistent=False)

    def forward(self, got: Features, wanted: Features) -> Tensor:
        distances = [
            weight * (gram(got[layer]) - self._gram(layer, wanted)).square().sum((1, 2)).mean()
            for layer, weight in self.layer_weights.items()
        ]
        return torch.stack(distances).sum()

    def _gram(self, layer: str, wanted: Features) -> Tensor:
        return self.get_buffer(f"gram_{layer}") if self.is_fixed else gram(wanted[layer])


class StabilityLoss(nn.Module):
    """Mean squared distance of the outputs for an input and for the same input with noise.

    Stability training (Zheng et al. 2016, "Improving the robustness of deep neural networks via
    stability training"). Feed-forward styles flicker because the style loss has many equally good
    outputs for nearly equal frames (Gupta et al. 2017, "Characterizing and improving stability in
    neural style transfer"); noise is like what differs between two frames of a region that does
    not move, so that no video is needed to train on (as in Wang et al. 2020, "Consistent video
    style transfer via compound regularization").
    """

    def forward(self, output: Tensor, noisy: Tensor) -> Tensor:
        return F.mse_loss(noisy.float(), output.float())


def gram(features: Tensor) -> Tensor:
    """Gram matrices N×C×C of features N×C×H×W, divided by C·H·W (equation 3)."""
    rows = features.float().flatten(2)
    # Autocast would multiply in half precision, where these sums overflow.
    with torch.autocast(features.device.type, enabled=False):
        return rows @ rows.transpose(1, 2) / (rows.shape[1] * rows.shape[2])
