"""Whether it is worth to look closely for what can be reused.

Looking closely means to keep every frame and every result. After some frames in which that saved
nothing, frames are not looked at for a while. Then a few rows of two frames are compared: enough of
them being the same is worth a closer look, else the while gets longer.
"""

from __future__ import annotations

import numpy as np

from .changed import Pixels, equal_share, sampled_rows

_PATIENCE = 8
"""Frames in a row that may save nothing."""
_HOPELESS = 2
"""As how many of them a frame counts that has changed nearly everywhere."""
_FIRST_REST, _LONGEST_REST = 8, 64
"""Frames that are not looked at."""
_PROMISING_SHARE = 0.15


class Watch:
    """Follows the frames of one sequence."""

    def __init__(self, *, parts: bool) -> None:
        """`parts`: whether parts of a frame can be reused; else only a frame that is the same."""
        self._promising = _PROMISING_SHARE if parts else 1.0
        self._rows: Pixels = np.empty((0, 0, 0), np.uint8)
        self._misses = 0
        self._rest = 0
        self._next_rest = _FIRST_REST
        self.close = True
        """Whether frames are to be kept and compared."""

    def glance(self, frame: Pixels) -> None:
        """Take a frame while not `close`, and decide for it and those that follow."""
        self._rest -= 1
        if self._rest > 0:
            return
        rows = sampled_rows(frame)
        if self._rest == 0:
            self._rows = rows.copy()
            return
        before, self._rows = self._rows, np.empty((0, 0, 0), np.uint8)
        comparable = rows.shape == before.shape and rows.dtype == before.dtype
        if comparable and equal_share(before, rows) >= self._promising:
            self.close, self._misses = True, 0
        else:
            self._take_a_rest()

    def saved(self) -> None:
        """Take note that something could be reused."""
        self._misses, self._next_rest = 0, _FIRST_REST

    def missed(self, *, hopeless: bool) -> None:
        """Take note that nothing could be reused; `hopeless`: not by far."""
        self._misses += _HOPELESS if hopeless else 1
        if self._misses >= _PATIENCE:
            self.close = False
            self._take_a_rest()

    def _take_a_rest(self) -> None:
        self._rest = self._next_rest
        self._next_rest = min(2 * self._next_rest, _LONGEST_REST)
