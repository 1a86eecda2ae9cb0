"""Decoded pictures to BGR arrays and back, with the clip's own colour matrix and range."""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import ColorRange, VideoReformatter

from ....common.libraries.swscale import TO_RGB, TO_YUV
from .alpha import opaque_format, with_alpha
from .colour_tags import FULL, UNSPECIFIED, Colour, complete_colour
from .deep_bgr import DeepPixels
from .frame import Image
from .overread import with_room
from .pixel_format import PixelFormat, named_format
from .planes import plane_array
from .pool import FramePool


def colour_of(
    frame: av.VideoFrame, context: av.VideoCodecContext, assume_transfer: str | None = None
) -> Colour:
    """The colour description of a decoded picture, completed as of `complete_colour`.

    Raises:
        ValueError: see `complete_colour`.
    """
    format_ = frame.format
    return complete_colour(
        matrix=_stated(frame.colorspace, context.colorspace),
        range_=FULL if format_.name.startswith("yuvj") else frame.color_range,
        primaries=_stated(frame.color_primaries, context.color_primaries),
        transfer=_stated(frame.color_trc, context.color_trc),
        is_rgb=is_rgb(format_),
        lines=frame.height,
        assume_transfer=assume_transfer,
    )


def is_rgb(format_: av.VideoFormat) -> bool:
    """Whether no colour matrix is needed to get at the colours."""
    return bool(format_.is_rgb or format_.has_palette)


def depth_note(format_: PixelFormat) -> str:
    """The line for the user about a pixel format with more than 8 bits per channel, or ""."""
    if not format_.is_deep:
        return ""
    return f"{format_.name} is reduced to 8 bits per channel"


class ToBgr:
    """Converts pictures to H×W×3 BGR arrays out of a pool. Used from one thread.

    They have 8 or 16 bits per channel, as the arrays of the pool have.
    """

    def __init__(self, pool: FramePool) -> None:
        self._pool = pool
        self._deep = DeepPixels()
        self._reformatter = VideoReformatter()

    def __call__(self, frame: av.VideoFrame, colour: Colour) -> Image:
        """Return the picture in an array that whoever consumes it gives back to the pool."""
        shape = (frame.height, frame.width, 3)
        image = self._pool.take(shape)
        if image.dtype == np.uint16:
            self._deep.to_bgr(frame, colour, image)
            return image
        if named_format(frame.format.name).chroma == 0:
            # libswscale takes grey for full range, whatever its options say.
            wide = np.empty(shape, np.uint16)
            self._deep.to_bgr(frame, colour, wide)
            np.copyto(image, ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8))
            return image
        if is_rgb(frame.format):
            converted = self._reformatter.reformat(frame, format="bgr24")
        else:
            converted = self._reformatter.reformat(
                frame,
                format="bgr24",
                src_colorspace=colour.swscale_matrix,
                dst_colorspace=colour.swscale_matrix,
                src_color_range=ColorRange(colour.range),
                dst_color_range=ColorRange.JPEG,
                interpolation=TO_RGB,
                threads=1,
            )
        np.copyto(image, plane_array(converted.planes[0], 8, 3))
        return image


class FromBgr:
    """Converts uint8 or uint16 H×W×3 BGR arrays to pictures of one pixel format. Used from one
    thread.
    """

    def __init__(self, pixel_format: str, colour: Colour, coded_size_px: tuple[int, int]) -> None:
        """`coded_size_px` is width and height to pad to, at the right and the bottom."""
        self._format = pixel_format
        self._colour = colour
        self._size_px = coded_size_px
        self._padded: Image | None = None
        self._reformatter = VideoReformatter()
        self._deep = DeepPixels()

    def __call__(self, image: Image, alpha: Image | None = None) -> av.VideoFrame:
        """Return the picture; `image` is not read any more afterwards.

        Of formats with alpha, a picture without `alpha` is opaque.
        """
        height, width = image.shape[:2]
        if (width, height) != self._size_px:
            image = self._pad(image)
        image = np.ascontiguousarray(image)
        if named_format(self._format).has_alpha:
            opaque = opaque_format(self._format)
            colours = None if opaque == "bgr24" else self._converted(image, opaque)
            converted = with_alpha(colours, image, alpha, self._format)
        else:
            converted = self._converted(image, self._format)
        return self.tagged(converted)

    def tagged(self, picture: av.VideoFrame) -> av.VideoFrame:
        """A picture of the format with the clip's colour stated in it."""
        # ProRes takes these from each frame, the others from the encoder's settings.
        picture.color_primaries = self._colour.primaries
        picture.color_trc = self._colour.transfer
        if not named_format(self._format).is_rgb:
            picture.colorspace = self._colour.matrix
            picture.color_range = self._colour.range
        return picture

    def _converted(self, image: Image, name: str) -> av.VideoFrame:
        format_ = named_format(name)
        # libswscale takes grey for full range, whatever its options say.
        deep_rgb = format_.is_rgb and format_.is_deep
        if image.dtype == np.uint16 or format_.chroma == 0 or deep_rgb:
            wide = image if image.dtype == np.uint16 else image.astype(np.uint16) * 257
            return self._deep.from_bgr(wide, name, self._colour)
        picture = av.VideoFrame.from_numpy_buffer(with_room(image), format="bgr24")
        if format_.is_rgb:
            return self._reformatter.reformat(picture, format=name)
        return self._reformatter.reformat(
            picture,
            format=name,
            src_colorspace=self._colour.swscale_matrix,
            dst_colorspace=self._colour.swscale_matrix,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange(self._colour.range),
            interpolation=TO_YUV,
        )

    def _pad(self, image: Image) -> Image:
        """Repeat the last column and row up to the coded size, in the same array every time."""
        if self._padded is None:
            self._padded = np.empty((self._size_px[1], self._size_px[0], 3), image.dtype)
        padded, (height, width) = self._padded, image.shape[:2]
        np.copyto(padded[:height, :width], image)
        padded[height:, :width] = image[-1:]
        padded[:, width:] = padded[:, width - 1 : width]
        return padded


def even_size(width_px: int, height_px: int, chroma: int = 1) -> tuple[int, int]:
    """The size that video of a chroma needs, as of `PixelFormat`: of 4:2:0 both sides are even, of
    4:2:2 the width is.
    """
    width = width_px + width_px % 2 if chroma in (1, 2) else width_px
    return width, height_px + height_px % 2 if chroma == 1 else height_px


def _stated(by_frame: int, by_container: int) -> int:
    """Code points of the frame hold; the container's are for codecs that cannot state them."""
    return by_container if by_frame == UNSPECIFIED else by_frame
