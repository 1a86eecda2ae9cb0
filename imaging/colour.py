"""Luma of BT.601 limited range, on which the literature's PSNR and SSIM are computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# MATLAB's rgb2ycbcr: Y = 16 + (65.481 R + 128.553 G + 24.966 B) / 255 for R, G, B in 0–255.
_Y_RGB = np.array([65.481, 128.553, 24.966]) / 255
_Y_OFFSET = 16.0
LUMA_BT601 = (0.299, 0.587, 0.114)
"""The same weights over the full range: equal channels give their own value."""
_GREY_RGB = np.array(LUMA_BT601)


def rgb_to_y(image: NDArray[Any]) -> NDArray[np.float64]:
    """Luma (float64, 16–235) of an …×3 RGB image with values 0–255. An H×W image is grey: its
    values are luma already and come back as they are. Raises ValueError for other shapes.
    """
    return _luma(image, _Y_RGB, _Y_OFFSET)


def bgr_to_y(image: NDArray[Any]) -> NDArray[np.float64]:
    """As `rgb_to_y` for channels in OpenCV's order."""
    return _luma(image, _Y_RGB[::-1], _Y_OFFSET)


def bgr_to_grey(image: NDArray[Any]) -> NDArray[np.float64]:
    """Full-range grey (float64, 0–255): the value itself where the three channels are equal."""
    return _luma(image, _GREY_RGB[::-1], 0.0)


def _luma(image: NDArray[Any], weights: NDArray[np.float64], offset: float) -> NDArray[np.float64]:
    if image.ndim == 2:
        return image.astype(np.float64)
    if image.ndim < 3 or image.shape[-1] != 3:
        raise ValueError(f"expected an H×W or …×3 image, got shape {image.shape}")
    first, second, third = (image[..., channel].astype(np.float64) for channel in range(3))
    luma: NDArray[np.float64] = weights[0] * first + weights[1] * second + weights[2] * third
    return luma + offset
