"""The interface of all sources of frames, and what those whose frames are pictures share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from ....common.closing import Closing
from ....common.images import Pixels
from ....common.images.content.alpha import bleed
from ..clip.colour_tags import Colour
from ..clip.frame import ClipFacts, Frame, Image
from ..clip.pixel_format import named_format
from ..clip.pool import FramePool

_WHITE = 65535


class ClipSource(Closing):
    """The frames of a clip; see `FileSource`. Read from one thread."""

    facts: ClipFacts

    @property
    @abstractmethod
    def stream_index(self) -> int | None:
        """The index of the video stream; `None` if nothing is to be copied beside it."""

    @property
    @abstractmethod
    def start_seconds(self) -> Fraction:
        """The time in the input, in seconds, that the frames' time 0 is."""

    @abstractmethod
    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """Take arrays from this pool, which decides whether frames have 8 or 16 bits per channel.

        To be called before the iteration. With `keep_alpha`, frames have the transparency of the
        clip.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """Each frame once, in order."""


class PictureSource(ClipSource):
    """Frames that are read as pictures, of files that are open during the iteration alone."""

    def __init__(self) -> None:
        self._pool = FramePool()
        self._keeps_alpha = False

    def close(self) -> None:
        """Do nothing: no file stays open."""

    @property
    def stream_index(self) -> None:
        """Nothing is copied beside the pictures."""

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """See `ClipSource.use_pool`."""
        self._pool = pool
        self._keeps_alpha = keep_alpha and self.facts.pixel_format.has_alpha

    def _frame(self, bgr: Pixels, alpha: Pixels | None, pts: int, duration: int) -> Frame:
        """The frame of a picture, whose times are in units of the clip's time base."""
        image = self._pool.take(bgr.shape)
        _fill(image, bgr)
        frame = Frame(image, pts, self.facts.time_base, duration)
        if self._keeps_alpha:
            frame.alpha = np.full(bgr.shape[:2], np.iinfo(image.dtype).max, image.dtype)
            if alpha is not None:
                _fill(frame.alpha, alpha)
                np.copyto(image, bleed(image, frame.alpha))
        return frame


def picture_facts(
    size_px: tuple[int, int],
    time_base: Fraction,
    rate: Fraction | None,
    colour: Colour,
    pixel_format: str,
    count: int,
) -> ClipFacts:
    """The facts of a clip of `count` pictures, whose pixels are square."""
    return ClipFacts(
        width_px=size_px[0],
        height_px=size_px[1],
        time_base=time_base,
        average_rate=rate,
        sample_aspect_ratio=Fraction(1),
        colour=colour,
        pixel_format=named_format(pixel_format),
        frame_count_estimate=count,
    )


def _fill(out: Image, pixels: Pixels) -> None:
    """Copy pixels, from 8 bits to 16 or back if the arrays differ."""
    if pixels.dtype == out.dtype:
        np.copyto(out, pixels)
    elif out.dtype == np.uint16:
        np.copyto(out, pixels.astype(np.uint16) * 257)
    else:
        rounded = (pixels.astype(np.uint32) * 255 + _WHITE // 2) // _WHITE
        np.copyto(out, rounded.astype(np.uint8))
