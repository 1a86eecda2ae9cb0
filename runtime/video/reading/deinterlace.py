"""Interlaced frames to progressive ones, one for one."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.filter

_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE; 0 is unknown, the higher ones are interlaced


def is_interlaced(frame: av.VideoFrame, stream: av.VideoStream) -> bool:
    """Whether a frame or the header of its stream says that it consists of two fields."""
    return frame.interlaced_frame or stream.codec_context.field_order > _PROGRESSIVE


class Deinterlacer:
    """Passes progressive clips through; a clip that begins interlaced goes through bwdif.

    Only frames marked as interlaced are touched, times stay as they are. A filtered frame comes
    out one frame late: call `flush` after the last.
    """

    def __init__(self, stream: av.VideoStream) -> None:
        self._stream = stream
        self._graph: av.filter.Graph | None = None
        self._started = False

    @property
    def active(self) -> bool:
        """Whether the frames are deinterlaced; known from the first one on."""
        return self._graph is not None

    def __call__(self, frame: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take the next decoded frame, yield those that are ready."""
        if not self._started:
            self._started = True
            if is_interlaced(frame, self._stream):
                self._graph = self._build()
        if self._graph is None:
            yield frame
            return
        self._graph.push(frame)
        yield from self._pull()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield the frames that are still inside."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pull()

    def _build(self) -> av.filter.Graph:
        graph = av.filter.Graph()
        source = graph.add_buffer(template=self._stream)
        filter_ = graph.add("bwdif", "mode=send_frame:deint=interlaced")
        sink = graph.add("buffersink")
        source.link_to(filter_)
        filter_.link_to(sink)
        graph.configure()
        return graph

    def _pull(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                frame = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            if frame.pts is not None and frame.time_base and self._stream.time_base:
                # bwdif halves the time base, whether it doubles the frames or not.
                ratio: Fraction = frame.time_base / self._stream.time_base
                frame.pts = round(frame.pts * ratio)
                frame.duration = round(frame.duration * ratio)
                frame.time_base = self._stream.time_base
            yield frame
