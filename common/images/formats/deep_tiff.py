"""TIFF of 16 bits, of which OpenCV takes planes and multiplied colours for something else."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..content.picture import AnyPixels
from .tiff_directory import DIRECTORY_ERRORS, plane_tiffs, read_layout

if TYPE_CHECKING:
    from PIL.Image import Image

_MEANING, _WHITE_IS_ZERO = 262, 0
_PLANAR, _IN_PLANES = 284, 2
_EXTRA_SAMPLES, _MULTIPLIED = 338, 1
_WHITE = 65535

Decode = Callable[[bytes], AnyPixels | None]


def is_in_planes(image: Image) -> bool:
    """Whether the file has its channels one after another."""
    return image.format == "TIFF" and image.tag_v2.get(_PLANAR, 1) == _IN_PLANES  # type: ignore[attr-defined]


def is_negative(image: Image) -> bool:
    """Whether 0 is white. Neither library here inverts such pixels of 16 bits."""
    return image.format == "TIFF" and image.tag_v2.get(_MEANING) == _WHITE_IS_ZERO  # type: ignore[attr-defined]


def decode_planes(data: bytes, decode: Decode) -> AnyPixels | None:
    """The pixels of such a file: H×W, BGR or BGRA; `None` if they cannot be decoded."""
    file = io.BytesIO(data)
    try:
        layout = read_layout(file)
        if layout is None or any(count == 0 for _, count in layout.pieces):
            return None
        planes = [decode(tiff) for tiff in plane_tiffs(layout, file)]
    except DIRECTORY_ERRORS:
        return None
    found = [plane for plane in planes if plane is not None and plane.ndim == 2]
    if len(found) != len(planes) or len(found) not in (1, 3, 4):
        return None
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[len(found)]
    return found[0] if len(found) == 1 else np.dstack([found[index] for index in order])


def straight(image: Image, pixels: AnyPixels) -> AnyPixels:
    """BGRA whose colours are not multiplied by alpha, of those of the file."""
    extra = getattr(image, "tag_v2", {}).get(_EXTRA_SAMPLES, (0,))
    kind = extra[0] if isinstance(extra, tuple) and extra else extra
    if kind != _MULTIPLIED or pixels.ndim != 3 or pixels.shape[2] != 4:
        return pixels
    made = pixels.copy()
    for row in made:  # so that it takes little memory
        alpha = row[:, 3:].astype(np.uint32)
        wide = (row[:, :3].astype(np.uint32) * _WHITE + alpha // 2) // np.maximum(alpha, 1)
        row[:, :3] = np.minimum(wide, _WHITE)
    return made
