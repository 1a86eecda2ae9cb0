"""Room behind a picture for libswscale, which reads a little beyond its end."""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable

import numpy as np

from .frame import Image

_ROOM_BYTES = 128
"""libswscale 9.5 was seen to read less than 64 bytes beyond pictures of 8 bits."""


def allocated_with_room(
    allocate: Callable[[tuple[int, ...]], Image], shape: tuple[int, ...]
) -> Image:
    """An array of `shape` that `allocate` made some rows taller, so that it never needs a copy."""
    height, *row = shape
    rows = math.ceil(_ROOM_BYTES / max(1, math.prod(row)))
    return allocate((height + rows, *row))[:height]


def with_room(image: Image) -> Image:
    """A contiguous picture behind which so many bytes can be read.

    It is a copy only where the picture ends right before another page, which may not be there:
    reading it would end the process.
    """
    if _has_room(image):
        return image
    copy = allocated_with_room(lambda shape: np.empty(shape, image.dtype), image.shape)
    np.copyto(copy, image)
    return copy


def _has_room(image: Image) -> bool:
    end = image.ctypes.data + image.nbytes
    if -end % mmap.PAGESIZE >= _ROOM_BYTES:
        return True
    owner = image
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    return owner.flags.c_contiguous and owner.ctypes.data + owner.nbytes - end >= _ROOM_BYTES
