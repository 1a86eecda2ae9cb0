"""The memory of a picture of FFmpeg as arrays."""

from __future__ import annotations

import numpy as np
from av.video.plane import VideoPlane

from .frame import Image


def plane_array(plane: VideoPlane, bits: int, channels: int = 1) -> Image:
    """A plane without a copy, H×W, or H×W×channels: uint8, or uint16 for more than 8 bits."""
    dtype = np.dtype(np.uint8 if bits == 8 else np.uint16)
    size = dtype.itemsize
    shape = (plane.height, plane.width, channels)
    strides = (plane.line_size, channels * size, size)
    rows: Image = np.ndarray(shape, dtype, memoryview(plane), strides=strides)
    return rows if channels > 1 else rows[..., 0]
