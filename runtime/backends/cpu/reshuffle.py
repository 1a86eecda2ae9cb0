"""Depth-to-space and NCHW → NHWC on whole numbers, by OpenCV's vectorised channel merges."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ....common.opencv import load_cv2
from ...session.protocol import Frames


class Reshuffle:
    """Turns packed N×(3·s²)×H×W, uint8 or uint16, into N×(sH)×(sW)×3 without allocating frames.

    Owns `packed`, the buffer that the engine writes, and the scratch in between, for one shape.
    """

    def __init__(
        self,
        count: int,
        height: int,
        width: int,
        scale: int,
        dtype: DTypeLike = np.uint8,
    ) -> None:
        self._merge = load_cv2().merge
        self._shape = (count, height, scale, width * scale, 3)
        self.packed: Frames = np.empty((count, 3 * scale * scale, height, width), dtype)
        # One row of each output cell at a time: three planes, each s sub-columns interleaved.
        self._planes: Frames = np.empty((3, height, width * scale), dtype)
        self._interleaved = self._planes.reshape(3, height, width, scale)
        self._sources = self.packed.reshape(count, 3, scale, scale, height, width)

    def into(self, out: Frames) -> None:
        """Write the reshuffled `packed` to `out`, of its type, N×(sH)×(sW)×3, C-contiguous."""
        count, _, scale, _, _ = self._shape
        rows = out.reshape(self._shape)
        for index in range(count):
            for sub_row in range(scale):
                for colour in range(3):
                    self._interleave(self._sources[index, colour, sub_row], colour)
                self._merge(tuple(self._planes), dst=rows[index, :, sub_row])

    def _interleave(self, sub_columns: Frames, colour: int) -> None:
        self._merge(tuple(sub_columns), dst=self._interleaved[colour])
