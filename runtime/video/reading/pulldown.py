"""Film in interlaced video: 24 frames a second that were spread over 60 fields (3:2 pulldown)."""

from __future__ import annotations

from collections import Counter

import av
import numpy as np
from numpy.typing import NDArray

from ..clip.planes import plane_array

_WINDOW = 50
"""Frames in motion that are looked at."""
_CYCLE = 5
_SHARE = 0.8
"""Of the cycles, how many must repeat a field at their place."""
_STILL = 0.5
"""Mean difference of two fields, in code values of 8 bits, below which nothing moved."""
_REPEATS = 0.4
"""A field repeats the one before if it differs this much less than the other field."""


class PulldownWatch:
    """Looks at frames before they are deinterlaced: of five in 3:2 pulldown, one repeats the upper
    and one the lower field of the frame before it, always at the same place.
    """

    def __init__(self) -> None:
        self._before: NDArray[np.int32] | None = None
        self._frames = 0
        self._moving = 0
        self._repeated: Counter[tuple[int, int]] = Counter()
        self._is_done = False

    def __call__(self, frame: av.VideoFrame) -> bool:
        """Take the next frame; `True` once, when it is certain that this is film."""
        if self._is_done or not frame.format.name.startswith("yuv"):
            return False
        luma = _luma(frame)
        before, self._before = self._before, luma
        self._frames += 1
        if before is None or before.shape != luma.shape:
            return False
        changed = np.abs(luma - before)
        fields = [float(changed[parity::2].mean()) for parity in (0, 1)]
        if max(fields) < _STILL:
            return False
        self._moving += 1
        for parity, (own, other) in enumerate((fields, fields[::-1])):
            if own < _REPEATS * other:
                self._repeated[parity, self._frames % _CYCLE] += 1
        self._is_done = self._moving == _WINDOW
        return self._is_done and self._has_cycle()

    def _has_cycle(self) -> bool:
        wanted = _SHARE * _WINDOW / _CYCLE
        places = [place for place, count in self._repeated.items() if count >= wanted]
        return sorted(parity for parity, _ in places) == [0, 1]


def _luma(frame: av.VideoFrame) -> NDArray[np.int32]:
    """Some columns of the first plane, in code values of 8 bits."""
    bits = frame.format.components[0].bits
    columns = plane_array(frame.planes[0], bits)[:, ::4]
    luma: NDArray[np.int32] = columns.astype(np.int32) >> (bits - 8)
    return luma
