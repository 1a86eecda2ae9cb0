"""The picture whose style is learnt."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from ...common.errors import InputError
from .photos import usable_rgb


@dataclass(frozen=True)
class StyleImage:
    """`pixels` is float 1×3×H×W RGB in [0, 1]; `sha256` is the file's."""

    path: Path
    pixels: Tensor
    sha256: str


def read_style_image(path: Path, side: int, smallest: int) -> StyleImage:
    """Read a style image, its longer side resized to `side` pixels unless that is 0.

    Raises InputError for a file that is no readable image, or if its shorter side then has less
    than `smallest` pixels.
    """
    if not path.is_file():
        raise InputError(f"style image {path}: no such file")
    image = usable_rgb(path)
    if isinstance(image, str):
        raise InputError(f"style image {path}: {image}")
    height, width = image.shape[:2]
    if side:
        factor = side / max(height, width)
        size = max(1, round(width * factor)), max(1, round(height * factor))
        shrinking = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        image = cv2.resize(image, size, interpolation=shrinking).astype(np.uint8, copy=False)
    if min(image.shape[:2]) < smallest:
        raise InputError(
            f"style image {path}: {image.shape[1]}×{image.shape[0]} pixels, under {smallest} a "
            "side; use a larger one or a larger style.side"
        )
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255
    return StyleImage(path, pixels, hashlib.sha256(path.read_bytes()).hexdigest())
