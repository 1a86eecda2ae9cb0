"""Transparency of video pictures: read at the depth of the frames, and stored again."""

from __future__ import annotations

import av
import numpy as np
from numpy.typing import DTypeLike

from .frame import Image
from .pixel_format import named_format
from .planes import plane_array

_PLANE = 3
_PACKED = "bgra"
_OPAQUE = {
    "yuva420p": "yuv420p",
    "yuva444p10le": "yuv444p10le",
    **{f"gbrap{bits}le": f"gbrp{bits}le" for bits in (10, 12, 14, 16)},
}


def alpha_of(frame: av.VideoFrame, dtype: DTypeLike) -> Image:
    """The alpha of a picture that has one, H×W of uint8 or uint16 over its full range."""
    if len(frame.planes) <= _PLANE:  # packed with the colours
        deep = named_format(frame.format.name).is_deep
        frame = frame.reformat(format="gbrap16le" if deep else "gbrap")
    bits = frame.format.components[_PLANE].bits
    codes = plane_array(frame.planes[_PLANE], bits)
    return _scaled(codes, (1 << bits) - 1, int(np.iinfo(np.dtype(dtype)).max))


def opaque_format(name: str) -> str:
    """The pixel format with the same colours and no alpha."""
    return _OPAQUE.get(name, "bgr24" if name == _PACKED else name)


def with_alpha(
    picture: av.VideoFrame | None, image: Image, alpha: Image | None, name: str
) -> av.VideoFrame:
    """A picture of the format `name`, with the colours of `picture`, which is of the opaque format,
    or for packed formats of `image`. Without an `alpha` it is opaque.
    """
    height, width = image.shape[:2]
    if alpha is None:
        alpha = np.full((height, width), np.iinfo(image.dtype).max, image.dtype)
    elif alpha.shape != (height, width):  # pictures are padded at the right and the bottom
        alpha = np.pad(alpha, [(0, height - alpha.shape[0]), (0, width - alpha.shape[1])], "edge")
    if name == _PACKED:
        packed = np.dstack([_scaled(image, _white(image), 255), _scaled(alpha, _white(alpha), 255)])
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(packed), format=name)
    assert picture is not None
    made = av.VideoFrame(width, height, name)
    bits = named_format(name).bits
    for number in range(_PLANE):
        colours = plane_array(picture.planes[number], bits)
        np.copyto(plane_array(made.planes[number], bits), colours)
    codes = _scaled(alpha, _white(alpha), (1 << bits) - 1)
    np.copyto(plane_array(made.planes[_PLANE], bits), codes)
    return made


def _white(image: Image) -> int:
    return int(np.iinfo(image.dtype).max)


def _scaled(codes: Image, white: int, to: int) -> Image:
    """Codes of 0 to `white` as those of 0 to `to`, rounded."""
    dtype = np.uint8 if to == 255 else np.uint16
    if white == to:
        return codes.astype(dtype)
    scaled: Image = ((codes.astype(np.uint64) * to + white // 2) // white).astype(dtype)
    return scaled
