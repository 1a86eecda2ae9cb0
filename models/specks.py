"""Specks: detail that a network draws where the original has none nearby."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

# Pixels of the output: how far detail of the original allows for detail.
_REACH = 2


def excess_detail(
    output: NDArray[np.floating] | NDArray[np.uint8],
    original: NDArray[np.floating] | NDArray[np.uint8],
) -> NDArray[np.float64]:
    """What the Laplacian of the output has above the largest one of the original at most two pixels
    away along each axis, and the Laplacian of the original, both as sums over H×W(×C) in codes.

    The first is what `ExcessLoss` of `framelift.train` is the mean of. Rings beside edges, noise in
    skies and specks around letters have it; texture that lies elsewhere than in the original, or
    is a little stronger, has hardly any.
    """
    ours, theirs = (_detail(image) for image in (output, original))
    allowed = cv2.dilate(theirs, np.ones((2 * _REACH + 1,) * 2, np.uint8))
    return np.array([np.maximum(ours - allowed, 0).sum(), theirs.sum()], np.float64)


def _detail(image: NDArray[np.floating] | NDArray[np.uint8]) -> NDArray[np.float32]:
    laplacian = cv2.Laplacian(image.astype(np.float32), cv2.CV_32F, borderType=cv2.BORDER_REPLICATE)
    detail: NDArray[np.float32] = np.abs(laplacian)
    return detail
