"""One training sequence from its number alone: a scene, reduced, coded and decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from ....imaging.coding import encode_and_decode
from ..crops import PhotoCache
from ..photos import Photo
from .clips import Clip, clip_window
from .config import CodecConfig
from .draw import draw_coding
from .scenes import scene

Frames = NDArray[np.uint8]

PHOTO_CACHE_BYTES = 1 << 30  # of decoded photographs, in each process
LUMA_BT601 = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Pairs:
    """Frames of one sequence before and after.

    `coded` is uint8 K×h×w×3 RGB as decoded, `clean` the same only reduced, `hr` uint8
    K×(s·h)×(s·w)×3 RGB as it was before that. `label` names the encoder and its quality.
    """

    coded: Frames
    clean: Frames
    hr: Frames
    label: str


class SequenceMaker:
    """Makes the pairs of sequence number n from (seed, n), so that any process makes the same."""

    def __init__(
        self,
        config: CodecConfig,
        scale: int,
        seed: int,
        photos: Sequence[Photo],
        clips: Sequence[Clip],
    ) -> None:
        self._config = config
        self._scale = scale
        self._seed = seed
        self._photos = photos
        self._clips = clips
        self._cache = PhotoCache(PHOTO_CACHE_BYTES)
        area = np.array([photo.height * photo.width for photo in photos], np.float64)
        self._probability = area / area.sum()

    def __call__(self, number: int) -> Pairs:
        """The kept frames of one sequence."""
        config = self._config
        rng = np.random.default_rng((self._seed, number))
        hr = self._scene(rng)
        if rng.random() < config.grey:
            hr = as_grey(hr)
        kept = np.sort(rng.choice(config.frames, config.kept, replace=False))
        sigma = float(rng.uniform(*config.blur_sigma)) if rng.random() < config.blur else 0.0
        lr = reduced(hr, self._scale, sigma * self._scale)
        if rng.random() < config.noise:
            strength = float(rng.uniform(*config.noise_sigma))
            noise = rng.standard_normal(lr.shape, np.float32) * strength
            lr = np.rint(lr + noise).clip(0, 255).astype(np.uint8)
        coding = draw_coding(rng, config.encoders)
        decoded, _ = encode_and_decode(lr, coding)
        label = f"{coding.encoder} {coding.quality:g}"
        return Pairs(decoded[kept], reduced(hr[kept], self._scale), hr[kept], label)

    def _scene(self, rng: np.random.Generator) -> Frames:
        config = self._config
        if self._clips and rng.random() < config.clips:
            lengths = np.array([clip.frames for clip in self._clips], np.float64)
            chosen = self._clips[int(rng.choice(len(lengths), p=lengths / lengths.sum()))]
            return clip_window(rng, chosen, config.size, config.frames)
        return scene(
            rng, self._photos, self._probability, self._cache.get, config.size, config.frames
        )


def reduced(frames: Frames, scale: int, sigma: float = 0.0) -> Frames:
    """Antialiased bicubic reduction of uint8 T×H×W×3, after a Gaussian blur of `sigma` pixels."""
    made = []
    for frame in frames:
        soft = cv2.GaussianBlur(frame, (0, 0), sigma) if sigma else frame
        pixels = torch.from_numpy(soft).permute(2, 0, 1)[None].float()
        size = (frame.shape[0] // scale, frame.shape[1] // scale)
        small = F.interpolate(
            pixels, size=size, mode="bicubic", antialias=True, align_corners=False
        )
        made.append(small[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8).numpy())
    return np.stack(made)


def as_grey(frames: Frames) -> Frames:
    """The luma of uint8 T×H×W×3 RGB in all three channels."""
    luma = np.rint(frames @ LUMA_BT601).clip(0, 255).astype(np.uint8)
    return np.repeat(luma[..., None], 3, axis=3)
