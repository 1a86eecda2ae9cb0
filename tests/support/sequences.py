"""Image sequences."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2

from framelift.runtime.video.clip.frame import Image as Pixels
from framelift.runtime.video.clip.image_sequence import ImageSequence

LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0"}


def silent(line: str) -> None:
    pass


def images(folder: Path, pixels: list[Pixels], name: str = "f_%03d.png", first: int = 1) -> Path:
    """Write a sequence and return its pattern."""
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(pixels, first):
        assert cv2.imwrite(str(folder / (name % number)), picture)
    return folder / name


def sequence(pattern: Path, rate: Fraction = Fraction(10)) -> ImageSequence:
    return ImageSequence.find(pattern).at_rate(rate)
