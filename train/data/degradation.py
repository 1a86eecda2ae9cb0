"""Low-resolution synthesis, in batches on the training device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Seed = tuple[int, int, int]
Reduction = Literal["bicubic", "johnson"]
Degradation = Literal["bicubic", "johnson", "codec"]
"""How inputs are made: reduced as they are drawn, or for "codec" in `footage`."""

MARGIN = 4
"""Low-resolution pixels cut off each side after degrading, so that no crop border shows in them:
the support of the antialiased cubic (2 px) and of the blurs (up to 2 px)."""

NOISE_STREAM = 1
"""Keeps this noise apart from what a degradation draws from the same seed."""


def degrade(
    hr: Tensor,
    scale: int,
    kind: Reduction,
) -> Tensor:
    """Make the low-resolution input of a high-resolution batch.

    Args:
        hr: float N×3×H×W RGB in [0, 1]; H and W multiples of `scale`.
        scale: downsampling factor.
        kind: "bicubic" is the benchmark protocol, antialiased bicubic with a = −0.5 (MATLAB's
            imresize away from the borders; nothing at scale 1); "johnson" is section 4.2 of the
            paper, a Gaussian blur of σ = 1.0 and then bicubic interpolation.

    Returns:
        float N×3×(H/scale − 2·MARGIN)×(W/scale − 2·MARGIN) in [0, 1], rounded to 8-bit values as
        any image file would be.
    """
    match kind:
        case "bicubic":
            size = (hr.shape[2] // scale, hr.shape[3] // scale)
            lr = F.interpolate(hr, size=size, mode="bicubic", align_corners=False, antialias=True)
        case "johnson":
            hr = gaussian_blur(hr, sigma=1.0)
            lr = F.interpolate(hr, scale_factor=1 / scale, mode="bicubic", align_corners=False)
    lr = lr[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    return lr.mul(255).round_().clamp_(0, 255).div_(255)


def target_of(hr: Tensor, scale: int) -> Tensor:
    """The part of `hr` that `degrade(hr)` shows."""
    margin = MARGIN * scale
    return hr[:, :, margin:-margin, margin:-margin]


def with_noise(images: Tensor, sigma: float, seeds: Sequence[Seed]) -> Tensor:
    """Float N×3×H×W in [0, 1] with Gaussian noise, each picture's drawn from its own seed."""
    noise = []
    for image, seed in zip(images, seeds, strict=True):
        state = np.random.SeedSequence((*seed, NOISE_STREAM)).generate_state(2, np.uint32)
        generator = torch.Generator(image.device).manual_seed(int(state[0]) << 31 | int(state[1]))
        noise.append(torch.randn(image.shape, generator=generator, device=image.device))
    return (images + sigma * torch.stack(noise)).clamp_(0, 1)


def gaussian_blur(images: Tensor, sigma: float) -> Tensor:
    """Blur float N×C×H×W with a separable Gaussian cut at 4 σ, edges reflected."""
    radius = math.ceil(4 * sigma)
    x = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernel = torch.exp(-x.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(images.shape[1], 1, 1, -1)
    groups = images.shape[1]
    padded = F.pad(images, (radius, radius, radius, radius), mode="reflect")
    rows = F.conv2d(padded, kernel, groups=groups)
    return F.conv2d(rows, kernel.transpose(2, 3), groups=groups)
