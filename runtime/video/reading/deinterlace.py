"""Interlaced frames to progressive ones."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction

import av
import av.filter

from ....common.libraries.pyav import exact, unit_of
from ....common.notes import Say, silent
from ..clip.rate import frame_rate
from .pulldown import PulldownWatch

_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown, the higher ones are interlaced
_NTSC = Fraction(30000, 1001)


class Deinterlace(StrEnum):
    """What becomes of frames that consist of two fields."""

    FRAME = "frame"
    """One frame for each: all frames keep their times."""
    FIELD = "field"
    """A frame for each field: twice as many, half as far apart."""
    FILM = "film"
    """3:2 pulldown is undone: of five frames, the four of the film are found again."""


def is_interlaced(frame: av.VideoFrame, stream: av.VideoStream) -> bool:
    """Whether a frame or the header of its stream says that it consists of two fields."""
    return frame.interlaced_frame or stream.codec_context.field_order > _PROGRESSIVE


class Deinterlacer:
    """Passes progressive frames through; from the first interlaced one on, bwdif looks at them all.

    Only frames that are marked as interlaced are touched. A filtered frame comes out one frame
    late: call `flush` after the last. Frames that come out have times in units of `time_base`.

    For film, all frames are taken for a part of the pulldown, marked or not: many are not.
    """

    def __init__(
        self, stream: av.VideoStream, mode: Deinterlace = Deinterlace.FRAME, say: Say = silent
    ) -> None:
        """`say` gets a line when interlaced frames begin, and when they look like film.

        Raises `ValueError` where film cannot be restored from such a stream.
        """
        self._say = say
        self._watch = PulldownWatch()
        self._stream = stream
        self._mode = mode
        self._graph: av.filter.Graph | None = None
        self._previous: av.VideoFrame | None = None
        self._is_primed = False
        unit = unit_of(stream)
        self.time_base = unit / 2 if mode is Deinterlace.FIELD else unit
        self.rate = frame_rate(stream)
        """Frames a second that come out, as far as the stream states."""
        if mode is Deinterlace.FILM:
            rate = self.rate or _NTSC
            self.rate = rate * Fraction(4, 5)
            self.time_base = 1 / (self.rate * 1000)
            try:
                self._graph = self._build(
                    ("fieldmatch", "mode=pc_n_ub"),
                    ("bwdif", "mode=send_frame:deint=interlaced"),
                    ("decimate", ""),
                    rate=rate,
                )
            except (av.FFmpegError, ValueError) as error:
                raise ValueError(
                    f"pulldown cannot be undone in {stream.codec_context.pix_fmt} video"
                ) from error

    def __call__(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take the next decoded frame, yield those that are ready."""
        if self._graph is None:
            if not is_interlaced(frame, self._stream):
                self._previous = frame
                yield self._stamped(frame)
                return
            self._start(frame)
        assert self._graph is not None
        if self._mode is not Deinterlace.FILM and self._watch(frame):
            self._say(
                "seems to be film in 3:2 pulldown (telecine), which stays in it; --deinterlace "
                "film restores the frames of the film"
            )
        self._graph.push(frame)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield the frames that are still inside."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()

    def _start(self, first: av.VideoFrame) -> None:
        since = f" from {first.time or 0:.2f} s on" if self._previous is not None else ""
        each = (
            "field becomes a frame" if self._mode is Deinterlace.FIELD else "frame is deinterlaced"
        )
        self._say(f"interlaced{since}; each {each} (bwdif)")
        if self._mode is Deinterlace.FIELD:
            if self.rate:
                self.rate *= 2
            self._graph = self._build(("bwdif", "mode=send_field:deint=interlaced"))
        else:
            self._graph = self._build(("bwdif", "mode=send_frame:deint=interlaced"))
        if self._previous is not None:
            # The first interlaced frame takes from the one before it, as all others do.
            self._graph.push(self._previous)
            self._previous, self._is_primed = None, True

    def _build(self, *filters: tuple[str, str], rate: Fraction | None = None) -> av.filter.Graph:
        graph = av.filter.Graph()
        stream = self._stream
        if stream.format is None:
            raise ValueError("the pixel format is unknown")
        last = graph.add(
            "buffer",
            video_size=f"{stream.width}x{stream.height}",
            pix_fmt=stream.format.name,
            time_base=str(stream.time_base),
            pixel_aspect="1/1",
            **({"frame_rate": str(rate)} if rate else {}),
        )
        for name, options in filters:
            filter_ = graph.add(name, options or None)
            last.link_to(filter_)
            last = filter_
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        return graph

    def _pull(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            if self._is_primed:  # the frame before the first interlaced one came out already
                self._is_primed = False
                continue
            yield self._stamped(frame)

    def _stamped(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame with its time and duration in units of `time_base`."""
        unit = exact(frame.time_base) or exact(self._stream.time_base)
        if unit and unit != self.time_base:
            ratio = unit / self.time_base
            stamp = frame.pts if frame.pts is not None else frame.dts
            frame.pts = None if stamp is None else round(stamp * ratio)
            frame.duration = round(frame.duration * ratio)
            frame.time_base = self.time_base
        return frame
