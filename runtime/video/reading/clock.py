"""The time of each frame of a file, exact, and how long it is shown."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av

from ....common.errors import InputError
from ....common.libraries.pyav import exact
from ..clip.span import Span
from .deinterlace import Deinterlacer
from .gaps import Gaps
from .track_end import track_end

# Times that go back by no more than this are corrected; a clock that starts over is an error.
_JITTER_SECONDS, _JITTER_FRAMES = Fraction(1, 4), 4
_LEAST_SECONDS = Fraction(1, 1000)
"""What Matroska tells apart. Frames that are moved are moved by as much, lest they become one."""


class Timed(NamedTuple):
    """A decoded frame; `pts` and `duration` are in units of `Clock.time_base`."""

    frame: av.VideoFrame
    pts: int
    duration: int


class Clock:
    """Gives the decoded frames of a stream their times, and leaves out those outside a span."""

    def __init__(
        self,
        path: Path | str,
        stream: av.VideoStream,
        deinterlacer: Deinterlacer,
        *,
        offset: int,
        span: Span,
        waits: bool = True,
    ) -> None:
        """`path` names the input in errors. `offset` is the time of the file that counts as zero,
        in units of `time_base`.

        Without `waits`, no frame waits for the one after it, and all last as long as the rate says.
        """
        self._path = path
        self._stream = stream
        self._deinterlacer = deinterlacer
        self.time_base = deinterlacer.time_base
        self.offset = offset
        self._span = span
        self._waits = waits
        self.last_pts: int | None = None
        """The time of the frame that came last, in or outside the span."""
        self.gaps = Gaps(self.time_base)
        self.moved = 0
        """How many frames did not come after the one before them and were moved behind it."""

    def timed(self, frames: Iterable[av.VideoFrame]) -> Generator[Timed, None, None]:
        """The frames of the span with their times in the input.

        A frame is shown until the next one: what libav calls its duration is, where frames are
        reordered, that of another one. So each waits for the next.

        Raises InputError: the clock of the file begins anew on the way.
        """
        held: tuple[av.VideoFrame, int] | None = None
        span = self._span
        for frame in frames:
            pts = self._next_pts(frame)
            seconds = pts * self.time_base
            ends = span.end is not None and seconds >= span.end
            if held is not None:
                yield Timed(*held, self._within_span(held[1], pts - held[1]))
                held = None
            if ends:
                return
            if span.is_from_the_beginning or seconds >= span.start:
                held = frame, pts
            if held is not None and not self._waits:
                yield Timed(*held, self._duration(frame))
                held = None
        if held is not None:
            yield Timed(*held, self._within_span(held[1], self._last_duration(*held)))

    def frame_count(self, container_seconds: Fraction) -> int | None:
        """How many frames the span has as far as the headers show."""
        stream, span = self._stream, self._span
        if stream.frames and span.is_whole:
            return stream.frames
        seconds = container_seconds
        if stream.duration and (unit := exact(stream.time_base)):
            seconds = stream.duration * unit
        end = seconds if span.end is None else min(seconds, span.end)
        return round(max(Fraction(0), end - span.start) * (self._deinterlacer.rate or 0)) or None

    def _next_pts(self, frame: av.VideoFrame) -> int:
        """The frame's time; made up from the rate when missing, always after the last one."""
        stated = frame.pts if frame.pts is not None else frame.dts
        last = self.last_pts
        if stated is not None:
            pts = stated - self.offset
        else:
            pts = 0 if last is None else last + max(1, self._duration(frame))
        if last is not None and pts <= last:
            self._check_jump_back(last, pts, frame)
            pts = last + max(1, math.ceil(_LEAST_SECONDS / self.time_base))
            self.moved += 1
        if last is not None:
            self.gaps.add(last, pts)
        self.last_pts = pts
        return pts

    def _check_jump_back(self, last: int, pts: int, frame: av.VideoFrame) -> None:
        """Raise InputError where the clock starts over, as in recordings that were joined."""
        back = (last - pts) * self.time_base
        if back > max(_JITTER_SECONDS, _JITTER_FRAMES * self._duration(frame) * self.time_base):
            raise InputError(
                f"{self._path}: its clock jumps back by {float(back):.2f} s at "
                f"{float(last * self.time_base):.2f} s, as in files that were joined; split it "
                "there, or rewrite it with one clock first; no output was written"
            )

    def _within_span(self, pts: int, duration: int) -> int:
        """The duration of a frame at `pts`, cut at the end of the span."""
        if self._span.end is None:
            return duration
        return max(1, min(duration, math.ceil(self._span.end / self.time_base) - pts))

    def _last_duration(self, frame: av.VideoFrame, pts: int) -> int:
        """How long the last frame is shown: until the end of the track, where that is stated."""
        end = None if self.offset else track_end(self._stream)
        left = 0 if end is None else round(end / self.time_base) - pts
        return left if left > 0 else self._duration(frame)

    def _duration(self, frame: av.VideoFrame) -> int:
        if frame.duration:
            return frame.duration
        rate = self._deinterlacer.rate
        return round(1 / (rate * self.time_base)) if rate else 0
