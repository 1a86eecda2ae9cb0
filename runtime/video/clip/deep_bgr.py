"""Decoded pictures of more than 8 bits to uint16 BGR and back.

Chroma is resampled by libswscale at 16 bits, where it keeps every code; the matrix is computed
here. libswscale's own conversion to 16-bit RGB (9.5, as in PyAV 18) is 3 of 1023 codes off for full
range, and of 4:2:0 with some flags it is noise. On the way back it dithers, so that gradients stay
smooth.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter
from numpy.typing import NDArray

from ....common.libraries.opencv import load_cv2
from ....common.libraries.swscale import TO_YUV
from .colour_tags import FULL, Colour
from .frame import Image
from .overread import with_room
from .pixel_format import named_format
from .planes import plane_array

_PLANAR = "yuv444p16le"
_WHITE = 65535.0


class DeepPixels:
    """Converts both ways; keeps its buffers for one size. Used from one thread."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._merged: Image = np.empty((0, 0, 3), np.uint16)

    def to_bgr(self, frame: av.VideoFrame, colour: Colour, out: Image) -> None:
        """Fill `out`, uint16 H×W×3 BGR of the full range, with a picture of any depth."""
        cv2 = load_cv2()
        format_ = named_format(frame.format.name)
        if format_.is_rgb:
            converted = self._reformatter.reformat(frame, format="bgr48le")
            np.copyto(out, plane_array(converted.planes[0], 16, 3))
            return
        if format_.chroma == 0:
            codes = _grey_codes(frame, format_.bits)
            cv2.cvtColor(_stretched(codes, colour, format_.bits), cv2.COLOR_GRAY2BGR, dst=out)
            return
        planar = self._resampled(frame, _PLANAR)
        merged = self._buffer((frame.height, frame.width, 3))
        cv2.merge([plane_array(plane, 16) for plane in planar.planes], dst=merged)
        cv2.transform(merged, _to_rgb(colour, format_.bits)[::-1], dst=out)

    def from_bgr(self, image: Image, name: str, colour: Colour) -> av.VideoFrame:
        """A picture of that pixel format of uint16 H×W×3 BGR."""
        cv2 = load_cv2()
        format_ = named_format(name)
        height, width = image.shape[:2]
        if format_.is_rgb:
            picture = av.VideoFrame.from_numpy_buffer(with_room(image), format="bgr48le")
            return self._reformatter.reformat(picture, format=name)
        matrix = _from_rgb(colour, format_.bits)[:, [2, 1, 0, 3]]
        if format_.chroma == 0:
            grey = cv2.transform(image, matrix[:1])
            return _grey_picture(grey.reshape(height, width), name, format_.bits)
        merged = self._buffer(image.shape)
        cv2.transform(image, matrix, dst=merged)
        planar = av.VideoFrame(width, height, _PLANAR)
        for plane, channel in zip(planar.planes, cv2.split(merged), strict=True):
            np.copyto(plane_array(plane, 16), channel)
        return self._resampled(planar, name)

    def _resampled(self, frame: av.VideoFrame, name: str) -> av.VideoFrame:
        """The same codes with other chroma or depth. Both ranges are called limited: no code is to
        be stretched.
        """
        return self._reformatter.reformat(
            frame,
            format=name,
            src_colorspace=1,
            dst_colorspace=1,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=TO_YUV,
        )

    def _buffer(self, shape: tuple[int, ...]) -> Image:
        if self._merged.shape != shape:
            self._merged = np.empty(shape, np.uint16)
        return self._merged


def _to_rgb(colour: Colour, bits: int) -> NDArray[np.float64]:
    """3×4: R, G and B, 0–65535, of Y, Cb and Cr whose codes of `bits` were shifted to 16 bits.

    ITU-T H.273, equations 20 to 41.
    """
    red, blue = colour.luma_weights
    green = 1 - red - blue
    to_rgb = np.array(
        [
            [1, 0, 2 * (1 - red)],
            [1, -2 * (1 - blue) * blue / green, -2 * (1 - red) * red / green],
            [1, 2 * (1 - blue), 0],
        ]
    )
    black, luma, chroma = _levels(colour, bits)
    linear = to_rgb * np.array([1 / luma, 1 / chroma, 1 / chroma])
    offset = -linear @ np.array([black, 32768, 32768])
    return np.column_stack([linear, offset]) * _WHITE


def _from_rgb(colour: Colour, bits: int) -> NDArray[np.float64]:
    """3×4: the other way round."""
    matrix = _to_rgb(colour, bits)
    linear = np.linalg.inv(matrix[:, :3])
    return np.column_stack([linear, -linear @ matrix[:, 3]])


def _levels(colour: Colour, bits: int) -> tuple[float, float, float]:
    """Black, and the lengths of the scales of luma and chroma, in codes shifted to 16 bits."""
    if colour.range == FULL:
        length = float(((1 << bits) - 1) << (16 - bits))
        return 0.0, length, length
    return 16.0 * 256, 219.0 * 256, 224.0 * 256


def _stretched(codes: Image, colour: Colour, bits: int) -> Image:
    """Luma, its codes shifted to 16 bits, as 0–65535."""
    black, length, _ = _levels(colour, bits)
    values = codes.astype(np.float32)
    values -= np.float32(black)
    values *= np.float32(_WHITE / length)
    rounded: Image = np.clip(values + np.float32(0.5), 0, _WHITE).astype(np.uint16)
    return rounded


def _grey_codes(frame: av.VideoFrame, bits: int) -> Image:
    """The luma of a grey picture, its codes shifted to 16 bits."""
    return plane_array(frame.planes[0], bits).astype(np.uint16) << np.uint16(16 - bits)


def _grey_picture(codes: Image, name: str, bits: int) -> av.VideoFrame:
    """A grey picture of codes shifted to 16 bits."""
    height, width = codes.shape
    picture = av.VideoFrame(width, height, name)
    step = 16 - bits
    half = (1 << step) >> 1
    rounded = np.minimum(codes.astype(np.uint32) + half, 65535) >> step
    plane = plane_array(picture.planes[0], bits)
    np.copyto(plane, rounded.astype(plane.dtype))
    return picture
