"""Image sequences, and upscalers that tests of them use."""

from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import cv2

from framelift.common.errors import InputError
from framelift.runtime.video.clip.frame import Image as Pixels
from framelift.runtime.video.clip.image_sequence import ImageSequence

from .clips import Nearest

LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0"}


class DeepNearest(Nearest):
    """One that takes 16 bits, too."""

    depth = 8
    deep_problem = None

    def at_depth(self, depth: int) -> DeepNearest:
        made = DeepNearest(self.scale)
        made.depth = depth
        return made


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


class Interrupting(Nearest):
    """Fails at its n-th frame, as Ctrl-C might."""

    def __init__(self, after: int) -> None:
        super().__init__(2)
        self.after = after

    def __call__(self, frame: Pixels, out: Pixels | None = None) -> Pixels:
        if self.calls == self.after:
            time.sleep(1)  # so that all frames before are written
            raise InputError("interrupted")
        return super().__call__(frame, out)
