"""Distance of VGG-16 features, the perceptual measure of Johnson et al. 2016."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...imaging.metrics import shave
from ..losses.vgg import VggFeatures, load_vgg_weights

Image = NDArray[np.uint8]

CPU = torch.device("cpu")


class FeatureDistance:
    """‖φ(a) − φ(b)‖² / (C·H·W) at one layer, of images whose border is shaved as for PSNR."""

    def __init__(self, vgg: str, layer: str = "relu2_2", device: torch.device = CPU) -> None:
        """`vgg`: where the weights come from, as for `framelift train`. Raises CheckpointError."""
        self._layer = layer
        self._device = device
        self._features = VggFeatures((layer,), load_vgg_weights(vgg)).to(device)

    def __call__(self, a: Image, b: Image, border: int) -> float:
        """Compare two uint8 H×W×3 BGR images of one shape."""
        with torch.inference_mode():
            got, wanted = (
                self._features(to_tensor(shave(image, border), self._device))[self._layer]
                for image in (a, b)
            )
            return float((got - wanted).square().mean())


def to_tensor(image: Image, device: torch.device) -> Tensor:
    """uint8 BGR H×W×3 to float 1×3×H×W RGB in [0, 1]."""
    rgb = torch.from_numpy(np.ascontiguousarray(image[:, :, ::-1])).to(device)
    return rgb.permute(2, 0, 1)[None].float() / 255
