"""Images to upscale."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def image(path: Path, height: int = 10, width: int = 14) -> Path:
    rng = np.random.default_rng(0)
    cv2.imwrite(str(path), rng.integers(0, 255, (height, width, 3), np.uint8))
    return path
