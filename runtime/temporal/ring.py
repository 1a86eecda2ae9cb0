"""The last frames of a scene, so that windows of consecutive ones are one array without copying."""

from __future__ import annotations

import numpy as np

from ..session.protocol import Frames


class FrameRing:
    """Copies of the last `window` frames or more, numbered as they came."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._frames: Frames = np.empty((0, 0, 0, 3), np.uint8)
        self._first = 0  # number of the frame at the beginning of the array
        self.end = 0
        """The number that the next frame will get."""

    def start(self, like: Frames) -> None:
        """Forget all frames, and expect those of the shape and type of this one, H×W×3."""
        if (self._frames.shape[1:], self._frames.dtype) != (like.shape, like.dtype):
            self._frames = np.empty((2 * self._window, *like.shape), like.dtype)
        self._first = self.end

    def append(self, frame: Frames) -> None:
        """Copy a frame, of the shape and type that `start` got."""
        place = self.end - self._first
        if place == len(self._frames):
            kept = self._window - 1
            self._frames[:kept] = self._frames[place - kept :]
            self._first, place = self.end - kept, kept
        self._frames[place] = frame
        self.end += 1

    def windowed(self, first: int) -> Frames:
        """The frames from number `first` on, window×H×W×3, not to be changed.

        For those from before the oldest or behind the newest, that one is repeated. What is further
        back than the last `window` may be gone.
        """
        last = first + self._window
        if self._first <= first and last <= self.end:
            start = first - self._first
            return self._frames[start : start + self._window]
        numbers = np.clip(np.arange(first, last), self._first, self.end - 1) - self._first
        window: Frames = self._frames[numbers]
        return window
