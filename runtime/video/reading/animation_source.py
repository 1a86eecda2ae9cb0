"""The frames of an animated WebP or APNG as those of a clip; FFmpeg reads no animated WebP."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from math import floor
from pathlib import Path

from ....common.errors import InputError
from ....common.images.animation import frame_milliseconds, frame_numbers, read_frames
from ....common.images.kind import read_kind
from ....common.images.opening import opened
from ....common.notes import Say, say_on_stderr
from ..clip.colour_tags import complete_colour
from ..clip.frame import Frame
from .clip_source import PictureSource, picture_facts
from .options import ReadOptions

_UNIT = Fraction(1, 1000)
_NO_TIME_MS = 100  # as browsers show frames of no time
_LARGEST = (1 << 31) - 1  # in a fraction of FFmpeg


class AnimationSource(PictureSource):
    """Reads the frames in their order, at their times; see `ReadOptions` for which.

    Raises:
        InputError: at construction when the file cannot be read; from the iteration when a frame is
            damaged, or the span has none.
    """

    def __init__(
        self,
        path: Path,
        options: ReadOptions | None = None,
        *,
        shown: str | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        """`shown` is what errors call the file."""
        super().__init__()
        self._path = path
        self._shown = shown or str(path)
        self._options = options or ReadOptions()
        kind = read_kind(path)
        if kind is not None and kind.is_deep:
            say(f"{shown or path.name}: 16 bits per channel are reduced to 8")
        with opened(path) as (image, data):
            size = image.size
            count = len(frame_numbers(image))
            times = frame_milliseconds(image, data)
        self._times = None if times is None else [_shown_ms(time) for time in times]
        rate = _average_rate(self._times or [])
        colour = complete_colour(lines=size[1], is_rgb=True)
        pixel_format = "rgba" if kind is not None and kind.has_alpha else "rgb24"
        self.facts = picture_facts(size, _UNIT, rate, colour, pixel_format, count)

    @property
    def start_seconds(self) -> Fraction:
        """The time that the frames' time 0 was asked to be."""
        return self._options.span.start

    def __iter__(self) -> Iterator[Frame]:
        span, after_pts = self._options.span, self._options.after_pts
        zero: int | None = None
        before: deque[Frame] = deque(maxlen=self._options.context)
        for frame in self._frames():
            if frame.pts_seconds < span.start:
                continue
            if span.end is not None and frame.pts_seconds >= span.end:
                break
            zero = frame.pts if zero is None else zero
            frame.pts -= zero
            if after_pts is not None and frame.pts <= after_pts:
                frame.is_context = True
                before.append(frame)
                continue
            while before:
                yield before.popleft()
            yield frame
        if zero is None:
            raise InputError(f"{self._shown}: ends before {float(span.start):g} s")

    def _frames(self) -> Iterator[Frame]:
        shown = Fraction(0)
        pts = 0
        with opened(self._path) as (image, _):
            for number, (bgr, alpha, about) in enumerate(read_frames(self._shown, image)):
                shown += _shown_ms(Fraction(about)) if self._times is None else self._times[number]
                end = floor(shown + Fraction(1, 2))
                yield self._frame(bgr, alpha, pts, end - pts)
                pts = end


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
