"""PSNR and SSIM as the super-resolution literature computes them (on one channel)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WINDOW = 11
_SIGMA = 1.5
_K1, _K2 = 0.01, 0.03


def shave(image: NDArray[Any], border: int) -> NDArray[Any]:
    """View of an H×W or H×W×C image without `border` pixels on each side.

    Raises ValueError when nothing would be left.
    """
    height, width = image.shape[:2]
    if border < 0 or min(height, width) <= 2 * border:
        raise ValueError(f"cannot shave {border} pixels off each side of a {width}×{height} image")
    return image[border : height - border, border : width - border]


def psnr(a: NDArray[Any], b: NDArray[Any], peak: float = 255) -> float:
    """Peak signal-to-noise ratio in dB; `inf` for equal images. Raises ValueError when the shapes
    differ or are empty.
    """
    _check_shapes(a, b)
    difference = a.astype(np.float64) - b.astype(np.float64)
    mean_square = float(np.mean(difference * difference))
    return math.inf if mean_square == 0 else 10 * math.log10(peak * peak / mean_square)


def ssim(a: NDArray[Any], b: NDArray[Any], peak: float = 255) -> float:
    """Structural similarity of two H×W images, as in the reference implementation of Wang et al.:
    Gaussian window 11×11 with σ = 1.5, only positions where it fits, K1 = 0.01, K2 = 0.03.

    Raises ValueError when the shapes differ, are not H×W or are smaller than the window.
    """
    _check_shapes(a, b)
    if a.ndim != 2 or min(a.shape) < _WINDOW:
        raise ValueError(f"ssim needs H×W images of at least {_WINDOW}×{_WINDOW}, got {a.shape}")
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _blur(x), _blur(y)
    mean_xx, mean_yy, mean_xy = mean_x * mean_x, mean_y * mean_y, mean_x * mean_y
    variances = _blur(x * x + y * y) - mean_xx - mean_yy
    covariance = _blur(x * y) - mean_xy
    c1, c2 = (_K1 * peak) ** 2, (_K2 * peak) ** 2
    numerator = (2 * mean_xy + c1) * (2 * covariance + c2)
    denominator = (mean_xx + mean_yy + c1) * (variances + c2)
    return float(np.mean(numerator / denominator))


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian window over the valid part: (H, W) becomes (H - 10, W - 10)."""
    offsets = np.arange(_WINDOW) - _WINDOW // 2
    kernel = np.exp(-(offsets**2) / (2 * _SIGMA**2))
    kernel /= kernel.sum()
    rows, columns = image.shape[0] - _WINDOW + 1, image.shape[1] - _WINDOW + 1
    vertical = kernel[0] * image[:rows]
    for tap in range(1, _WINDOW):
        vertical += kernel[tap] * image[tap : tap + rows]
    result: NDArray[np.float64] = kernel[0] * vertical[:, :columns]
    for tap in range(1, _WINDOW):
        result += kernel[tap] * vertical[:, tap : tap + columns]
    return result


def _check_shapes(a: NDArray[Any], b: NDArray[Any]) -> None:
    if a.shape != b.shape:
        raise ValueError(f"images differ in shape: {a.shape} and {b.shape}")
    if a.size == 0:
        raise ValueError(f"images are empty: shape {a.shape}")
