"""The frames of an animated WebP or APNG as those of a clip; FFmpeg reads no animated WebP."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path

import numpy as np

from ....common.closing import Closing
from ....common.errors import InputError
from ....common.images.animation import frame_milliseconds, frame_numbers, read_frames
from ....common.images.content.alpha import bleed
from ....common.images.kind import read_kind
from ....common.images.opening import opened
from ....common.notes import Say, say_on_stderr
from ..clip.colour import FULL, UNSPECIFIED, complete_colour
from ..clip.frame import ClipFacts, Frame
from ..clip.pixel_format import named_format
from ..clip.pool import FramePool
from ..clip.span import Span
from .image_source import fill

_UNIT = Fraction(1, 1000)
_RGB_MATRIX = 0
_NO_TIME_MS = 100  # as browsers show frames of no time
_LARGEST = (1 << 31) - 1  # in a fraction of FFmpeg


class AnimationSource(Closing):
    """Reads the frames in their order, at their times; like `FileSource`, from one thread.

    Of a `span` the first frame gets time 0. Frames up to `after_pts` are left out, but for the last
    `context` of them.

    Raises:
        InputError: at construction when the file cannot be read; from the iteration when a frame is
            damaged, or the span has none.
    """

    def __init__(
        self,
        path: Path,
        *,
        span: Span | None = None,
        after_pts: int | None = None,
        context: int = 0,
        shown: str | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """`shown` is what errors call the file."""
        self._path = path
        self._shown = shown or str(path)
        self._span = span or Span()
        self._after_pts = after_pts
        self._context = context
        self._pool = FramePool()
        self._keeps_alpha = False
        kind = read_kind(path)
        if kind is not None and kind.is_deep:
            say(f"{shown or path.name}: 16 bits per channel are reduced to 8")
        with opened(path) as (image, data):
            width, height = image.size
            count = len(frame_numbers(image))
            times = frame_milliseconds(image, data)
        self._times = None if times is None else [_shown_ms(time) for time in times]
        transparent = kind is not None and kind.has_alpha
        self.facts = ClipFacts(
            width_px=width,
            height_px=height,
            time_base=_UNIT,
            average_rate=_average_rate(self._times or []),
            sample_aspect_ratio=Fraction(1),
            colour=complete_colour(
                matrix=_RGB_MATRIX,
                range_=FULL,
                primaries=UNSPECIFIED,
                transfer=UNSPECIFIED,
                is_rgb=True,
                lines=height,
            ),
            pixel_format=named_format("rgba" if transparent else "rgb24"),
            frame_count_estimate=count,
        )

    def close(self) -> None:
        """Do nothing: the file is open during the iteration alone."""

    @property
    def stream_index(self) -> None:
        """Nothing is copied beside the frames."""

    @property
    def start_seconds(self) -> Fraction:
        """The time that the frames' time 0 was asked to be."""
        return self._span.start

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """See `FileSource.use_pool`."""
        self._pool = pool
        self._keeps_alpha = keep_alpha and self.facts.pixel_format.has_alpha

    def __iter__(self) -> Iterator[Frame]:
        zero: int | None = None
        before: list[Frame] = []
        for frame in self._frames():
            if frame.pts_seconds < self._span.start:
                continue
            if self._span.end is not None and frame.pts_seconds >= self._span.end:
                break
            zero = frame.pts if zero is None else zero
            frame.pts -= zero
            if self._after_pts is not None and frame.pts <= self._after_pts:
                frame.is_context = True
                before = [*before, frame][-self._context :] if self._context else []
                continue
            yield from before
            before = []
            yield frame
        if zero is None:
            raise InputError(f"{self._shown}: ends before {float(self._span.start):g} s")

    def _frames(self) -> Iterator[Frame]:
        shown = Fraction(0)
        pts = 0
        with opened(self._path) as (image, _):
            for number, (bgr, alpha, about) in enumerate(read_frames(self._shown, image)):
                shown += _shown_ms(Fraction(about)) if self._times is None else self._times[number]
                end = floor(shown + Fraction(1, 2))
                array = self._pool.take(bgr.shape)
                fill(array, bgr)
                frame = Frame(array, pts, _UNIT, end - pts)
                if self._keeps_alpha:
                    frame.alpha = np.full(bgr.shape[:2], np.iinfo(array.dtype).max, array.dtype)
                    if alpha is not None:
                        fill(frame.alpha, alpha)
                        np.copyto(array, bleed(array, frame.alpha))
                pts = end
                yield frame


def _shown_ms(stated: Fraction) -> Fraction:
    """How long a frame is shown: long enough for a time of its own."""
    return max(stated, Fraction(1)) if stated > Fraction(1, 2) else Fraction(_NO_TIME_MS)


def _average_rate(milliseconds: list[Fraction]) -> Fraction | None:
    """Frames per second: exactly where all take equally long, and else over whole milliseconds."""
    if not milliseconds:
        return None
    total = sum(milliseconds, Fraction(0))
    if len(set(milliseconds)) > 1:
        total = Fraction(round(total))
    rate = 1000 * len(milliseconds) / total
    return rate if max(rate.numerator, rate.denominator) <= _LARGEST else None
