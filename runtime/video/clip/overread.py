"""Room behind a picture for libswscale, which reads a little beyond its end."""

from __future__ import annotations

import mmap

import numpy as np

from .frame import Image

_ROOM_BYTES = 128
"""libswscale 9.5 was seen to read less than 64 bytes beyond pictures of 8 bits."""


def with_room(image: Image) -> Image:
    """A contiguous picture behind which so many bytes can be read.

    It is a copy only where the picture ends right before another page, which may not be there:
    reading it would end the process.
    """
    end = image.ctypes.data + image.nbytes
    if -end % mmap.PAGESIZE >= _ROOM_BYTES:
        return image
    roomy = np.empty(image.nbytes + _ROOM_BYTES, np.uint8)[: image.nbytes]
    copy: Image = roomy.view(image.dtype).reshape(image.shape)
    np.copyto(copy, image)
    return copy
