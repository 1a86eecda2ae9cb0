"""Plays a file at its own speed."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from time import monotonic

from ...video.clip.frame import Frame


class Paced:
    """Hands each frame on when its time has come, counted from the first."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = frames
        self._stopped = threading.Event()

    def __iter__(self) -> Iterator[Frame]:
        started: float | None = None
        for frame in self._frames:
            seconds = float(frame.pts_seconds)
            if started is None:
                started = monotonic() - seconds
            if self._stopped.wait(max(0.0, started + seconds - monotonic())):
                return
            yield frame

    def stop(self) -> None:
        """End at once."""
        self._stopped.set()
