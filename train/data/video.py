"""Low-resolution frames as footage shows them: soft, noisy, 4:2:0, compressed.

In order: lens blur, antialiased bicubic downscaling, sensor noise, BT.709 limited-range 8-bit 4:2:0
as video stores it, then JPEG, H.264-like or no compression. Every picture's strengths are drawn
from (seed, step, index in the batch), so a batch is the same wherever it is made.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .codec import h264_like, jpeg

Range = tuple[float, float]
Seed = tuple[int, int, int]

LUMA_BT709 = (0.2126, 0.7152, 0.0722)
MACROBLOCK = 16


class VideoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Strengths of the `video` degradation, drawn uniformly from [low, high] for each picture."""

    blur: Range = (0.0, 0.6)  # σ in low-resolution pixels
    noise: Range = (0.0, 6.0)  # σ in 8-bit codes
    jpeg: float = 0.2  # share of pictures compressed by JPEG
    jpeg_quality: Range = (50.0, 95.0)  # libjpeg's quality
    h264: float = 0.6  # share of pictures compressed like H.264; the rest stays uncompressed
    h264_qp: Range = (16.0, 34.0)  # quantiser; x264's crf is near it

    def __post_init__(self) -> None:
        limits = {"blur": 4, "noise": 255, "jpeg_quality": 100, "h264_qp": 51}
        for name, most in limits.items():
            low, high = getattr(self, name)
            least = 1 if name == "jpeg_quality" else 0
            if not least <= low <= high <= most:
                raise ValueError(
                    f"{name} must be [low, high] within {least} and {most}, not [{low}, {high}]"
                )
        if not (self.jpeg >= 0 and self.h264 >= 0 and self.jpeg + self.h264 <= 1):
            raise ValueError("jpeg and h264 are shares: at least 0 and together at most 1")


def degrade_to_video(hr: Tensor, scale: int, config: VideoConfig, seeds: Sequence[Seed]) -> Tensor:
    """Degrade float N×3×H×W RGB in [0, 1] to N×3×(H/scale)×(W/scale), with one seed a picture."""
    generators = [np.random.default_rng(seed) for seed in seeds]

    def draw(low: float, high: float) -> Tensor:
        values = [rng.uniform(low, high) for rng in generators]
        return torch.tensor(values, dtype=torch.float32)

    soft = blur_each(hr, on_device(draw(*config.blur), hr) * scale, config.blur[1] * scale)
    size = (hr.shape[2] // scale, hr.shape[3] // scale)
    lr = F.interpolate(soft, size=size, mode="bicubic", align_corners=False, antialias=True)
    noise = torch.stack([_normal(lr[0], rng) for rng in generators])
    strengths = on_device(draw(*config.noise), lr).view(-1, 1, 1, 1)
    lr = (lr + noise * strengths / 255).clamp(0, 1)

    choice, quality, qp = draw(0, 1), draw(*config.jpeg_quality), draw(*config.h264_qp)
    step = np.random.default_rng(seeds[0][:2])  # the codec's grid is the same for a whole batch
    top, left = (int(side) for side in step.integers(MACROBLOCK, size=2))
    luma, chroma = to_yuv420(_pad(lr, top, left))
    by_jpeg = choice < config.jpeg
    by_h264 = ~by_jpeg & (choice < config.jpeg + config.h264)
    # Numbers, found on the host: a mask on the device would make the host wait for its count.
    jpegs, h264s = (on_device(which.nonzero()[:, 0], lr) for which in (by_jpeg, by_h264))
    qualities, qps = on_device(quality[by_jpeg], lr), on_device(qp[by_h264], lr)
    for index, plane in enumerate((luma, *chroma)):
        plane[jpegs] = jpeg(plane[jpegs], qualities, chroma=index > 0)
        plane[h264s] = h264_like(plane[h264s], qps)
    rgb = from_yuv420(luma, chroma)
    return rgb[:, :, top : top + size[0], left : left + size[1]]


def on_device(values: Tensor, like: Tensor) -> Tensor:
    """Copy from the host to where `like` is, without waiting for what that device still does."""
    pinned = values.pin_memory() if like.device.type == "cuda" else values
    return pinned.to(like.device, non_blocking=True)


def blur_each(images: Tensor, sigma: Tensor, most: float) -> Tensor:
    """Blur each of N×C×H×W with a Gaussian of its own σ (N values up to `most`, in pixels)."""
    radius = math.ceil(3 * most)
    if radius == 0:
        return images
    x = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    kernels = torch.exp(-x.square() / (2 * sigma.clamp_min(1e-3).square()[:, None]))
    kernels = kernels / kernels.sum(1, keepdim=True)
    count, channels = images.shape[:2]
    weight = kernels.repeat_interleave(channels, 0)[:, None, None]
    padded = F.pad(images, (radius, radius, radius, radius), mode="reflect")
    rows = F.conv2d(padded.flatten(0, 1)[None], weight, groups=count * channels)
    blurred = F.conv2d(rows, weight.transpose(2, 3), groups=count * channels)
    return blurred.view_as(images)


@functools.cache
def _luma(device: torch.device) -> Tensor:
    return torch.tensor(LUMA_BT709, device=device)


def to_yuv420(rgb: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """RGB in [0, 1] to 8-bit codes of BT.709 limited range: Y, and Cb and Cr at half the size."""
    weights = _luma(rgb.device).view(1, 3, 1, 1)
    y = (rgb * weights).sum(1, keepdim=True)
    half = F.avg_pool2d(rgb - y, 2)
    cb = half[:, 2:] / (2 - 2 * LUMA_BT709[2]) * 224 + 128
    cr = half[:, :1] / (2 - 2 * LUMA_BT709[0]) * 224 + 128
    return (y * 219 + 16).round(), (cb.round(), cr.round())


def from_yuv420(luma: Tensor, chroma: tuple[Tensor, Tensor]) -> Tensor:
    """The inverse of `to_yuv420`, chroma enlarged bilinearly; RGB in [0, 1]."""
    y = (luma - 16) / 219
    blue, red = (
        F.interpolate((plane - 128) / 224, scale_factor=2.0, mode="bilinear") for plane in chroma
    )
    b = y + (2 - 2 * LUMA_BT709[2]) * blue
    r = y + (2 - 2 * LUMA_BT709[0]) * red
    g = (y - LUMA_BT709[0] * r - LUMA_BT709[2] * b) / LUMA_BT709[1]
    return torch.cat((r, g, b), 1).clamp(0, 1)


def _pad(images: Tensor, top: int, left: int) -> Tensor:
    """Edges repeated to whole macroblocks, so that the codec's grid lies anywhere."""
    bottom, right = (
        -(side + before) % MACROBLOCK
        for side, before in zip(images.shape[2:], (top, left), strict=True)
    )
    return F.pad(images, (left, right, top, bottom), mode="replicate")


def _normal(like: Tensor, rng: np.random.Generator) -> Tensor:
    generator = torch.Generator(like.device).manual_seed(int(rng.integers(2**62)))
    return torch.randn(like.shape, generator=generator, device=like.device)
