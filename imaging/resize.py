"""Bicubic resize that agrees with MATLAB's `imresize`, which the published scores are based on.

Kernel a = -0.5, widened by the factor when shrinking (antialiasing), mirrored borders. OpenCV's
`INTER_CUBIC` (a = -0.75, no antialiasing) gives other images and other scores.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Scalar = TypeVar("Scalar", bound=np.generic)

# Of no image: a float such as 1 / 3 becomes the fraction that was meant.
_MAX_DENOMINATOR = 1_000_000


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution kernel with a = -0.5; zero outside [-2, 2]."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def resize_weights(
    in_size: int, out_size: int, scale: Fraction | float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Which input samples make each output sample of one axis, and with what weights.

    `out[i] = sum(weights[i, k] * in[indices[i, k]] for k in range(taps))`. Both arrays have shape
    (out_size, taps); indices lie in [0, in_size), mirrored at the borders (the border sample is
    repeated); each row of weights sums to 1. `scale` is output size / input size of the axis.
    """
    if in_size < 1 or out_size < 1 or scale <= 0:
        raise ValueError(f"sizes and scale must be positive, got {in_size}, {out_size}, {scale}")
    factor = float(scale)
    # Where the picture shrinks, the kernel is widened so that every input pixel counts.
    stretch = min(factor, 1.0)
    width = 4.0 / stretch
    # Pixels are areas: the middle of output pixel i lies at i + 0.5, from the edge of the picture.
    centre = (np.arange(out_size) + 0.5) / factor - 0.5
    first = np.floor(centre - width / 2).astype(np.int64)
    indices = first[:, None] + np.arange(math.ceil(width) + 2)
    weights = cubic((centre[:, None] - indices) * stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    # Taps that no output pixel uses are left out, as MATLAB does; they would only cost time.
    used = np.flatnonzero(weights.any(axis=0))
    indices, weights = indices[:, used[0] : used[-1] + 1], weights[:, used[0] : used[-1] + 1]
    # Mirrored at both borders the picture repeats with twice its size: … 1 0 | 0 1 … n−1 | n−1 …
    period = np.mod(indices, 2 * in_size)
    mirrored = np.where(period < in_size, period, 2 * in_size - 1 - period)
    return np.ascontiguousarray(mirrored), np.ascontiguousarray(weights)


def imresize(image: NDArray[Scalar], scale: Fraction | float) -> NDArray[Scalar]:
    """Resize an H×W or H×W×C image by `scale`; its sides are rounded up.

    uint8 images are computed in float64, rounded half up and clipped to 0–255 at the end; float
    images keep their dtype and are not clipped (bicubic overshoots at edges).
    Raises ValueError for other shapes and dtypes, and for a scale that is not positive.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError(f"expected a non-empty H×W or H×W×C image, got shape {image.shape}")
    is_u8 = image.dtype == np.uint8
    if not (is_u8 or np.issubdtype(image.dtype, np.floating)):
        raise ValueError(f"expected a uint8 or float image, got {image.dtype}")
    if scale <= 0:
        raise ValueError(f"scale must be positive, got {scale}")
    factor = Fraction(scale).limit_denominator(_MAX_DENOMINATOR)
    result: NDArray[Any] = image.astype(np.float64) if is_u8 else image
    for axis in (0, 1):
        in_size = image.shape[axis]
        indices, weights = resize_weights(in_size, math.ceil(in_size * factor), factor)
        result = _resize_axis(result, axis, indices, weights)
    if is_u8:
        result = np.floor(np.clip(result, 0, 255) + 0.5)
    return np.ascontiguousarray(result.astype(image.dtype, copy=False))


def _resize_axis(
    image: NDArray[Any], axis: int, indices: NDArray[np.int64], weights: NDArray[np.float64]
) -> NDArray[Any]:
    # Whole rows are gathered, so the axis in work is brought to the front and made contiguous.
    rows = np.ascontiguousarray(np.swapaxes(image, 0, axis))
    shape = (len(indices), *rows.shape[1:])
    rows = rows.reshape(rows.shape[0], -1)
    taps = weights.astype(image.dtype)
    result = taps[:, 0, None] * rows[indices[:, 0]]
    for tap in range(1, indices.shape[1]):
        result += taps[:, tap, None] * rows[indices[:, tap]]
    return np.swapaxes(result.reshape(shape), 0, axis)
