"""The reference photograph in any size, and moving."""

from __future__ import annotations

import numpy as np

from ...imaging.resize import imresize
from .comparison import Frames, reference_photograph

_MOTION_PX = (2, 3)  # down and right, from frame to frame


def photo(height: int, width: int, shrink: int = 1) -> Frames:
    """Its upper left part, uint8 H×W×3 BGR; what is larger is filled with repeats.

    Shrunk by a factor it has the detail that networks of that scale are trained on.
    """
    image = reference_photograph()
    return _fitted(imresize(image, 1 / shrink) if shrink > 1 else image, height, width)


def moving_photo(count: int, height: int, width: int) -> Frames:
    """`count` frames of it, uint8 N×H×W×3, each further on."""
    whole = reference_photograph()
    moved = [np.roll(whole, [step * k for step in _MOTION_PX], (0, 1)) for k in range(count)]
    return np.stack([_fitted(frame, height, width) for frame in moved])


def noise(count: int, height: int, width: int) -> Frames:
    """Uniform noise, uint8 N×H×W×3, always the same."""
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def _fitted(image: Frames, height: int, width: int) -> Frames:
    rows, columns = np.arange(height) % image.shape[0], np.arange(width) % image.shape[1]
    return np.ascontiguousarray(image[rows][:, columns])
