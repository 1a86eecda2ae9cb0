"""Counts frames and throws them away, to see how fast the rest is."""

from __future__ import annotations

from ..video.clip.frame import Frame


class NullSink:
    """See `video.pipeline.FrameSink`."""

    def write(self, frame: Frame) -> None:
        pass

    def finish(self) -> None:
        pass
