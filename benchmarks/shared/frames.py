"""Frames to measure with, and the conversions that scripts do around a float network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...imaging.metrics import psnr
from .fields import Count, Part
from .settings import LatencySettings

Frames = NDArray[Any]  # uint8 or uint16

# Two inputs in turn, so that a cached result could not pass for a computed one.
_INPUTS = 2


def input_frames(settings: LatencySettings) -> list[Frames]:
    """Inputs for the run: uint8 H×W×3 (batch 1) or N×H×W×3 BGR noise, the same in every run."""
    shape = (settings.batch, settings.height, settings.width, 3)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, shape, np.uint8) for _ in range(_INPUTS)]
    return batches if settings.batch > 1 else [batch[0] for batch in batches]


def prepare(frames: Frames) -> NDArray[np.float32]:
    """uint8 [N×]H×W×3 BGR to float32 N×3×H×W RGB 0–1, as scripts do it."""
    batch = frames[np.newaxis] if frames.ndim == 3 else frames
    rgb = batch[..., ::-1].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))


def finish(images: NDArray[np.float32]) -> Frames:
    """float32 N×3×H×W RGB 0–1 to uint8 N×H×W×3 BGR (H×W×3 for N = 1), as scripts do it."""
    bgr = np.clip(images, 0, 1).transpose(0, 2, 3, 1)[..., ::-1]
    batch: Frames = np.ascontiguousarray((bgr * 255).round().astype(np.uint8))
    return batch[0] if len(batch) == 1 else batch


class Agreement(Part, omit_defaults=True, rename={"beside": "with"}):
    """How far an image is from another's of the same weights, in codes; share_within_1 is of all
    values; psnr_db is null where they are equal. with: the other's name.
    """

    max_abs: Count
    share_within_1: float
    psnr_db: float | None
    same_precision: bool = True
    beside: str = ""


def agreement(a: Frames, b: Frames) -> Agreement:
    """Compare two arrays of one shape, uint8 or uint16; of two depths, as uint8."""
    if a.dtype != b.dtype:
        a, b = _in_8_bits(a), _in_8_bits(b)
    difference = np.abs(a.astype(np.int32) - b)
    return Agreement(
        max_abs=int(difference.max()),
        share_within_1=float(np.mean(difference <= 1)),
        psnr_db=psnr(a, b, np.iinfo(a.dtype).max),
    )


def _in_8_bits(frames: Frames) -> Frames:
    if frames.dtype == np.uint8:
        return frames
    return ((frames.astype(np.uint32) + 128) // 257).astype(np.uint8)
