"""Depth-to-space and NCHW → NHWC on whole numbers, by OpenCV's vectorised channel merges."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ....common.libraries.opencv import load_cv2
from ...session.protocol import Frames
from ...session.scratch import Scratch


class Reshuffle:
    """Turns packed N×(3·s²)×H×W, uint8 or uint16, into N×(sH)×(sW)×3 without allocating frames.

    Memory is that of the largest shape so far, whatever other shapes come.
    """

    def __init__(self, scale: int, dtype: DTypeLike = np.uint8) -> None:
        self._merge = load_cv2().merge
        self._scale = scale
        self._dtype = np.dtype(dtype)
        self._packed_memory, self._planes_memory = Scratch(), Scratch()
        self._shape: tuple[int, int, int] = 0, 0, 0
        self._packed: Frames = np.empty(0, dtype)
        self._sources: Frames = self._packed
        self._planes: Frames = self._packed
        self._interleaved: Frames = self._packed

    def packed(self, count: int, height: int, width: int) -> Frames:
        """The buffer for the engine to write, N×(3·s²)×H×W, of frames of H×W before scaling."""
        if self._shape != (count, height, width):
            self._shape = count, height, width
            self._lay_out()
        return self._packed

    def into(self, out: Frames) -> None:
        """Write the reshuffled `packed` to `out`, of its type, N×(sH)×(sW)×3, C-contiguous."""
        count, height, width = self._shape
        scale = self._scale
        rows = out.reshape(count, height, scale, width * scale, 3)
        for index in range(count):
            for sub_row in range(scale):
                for colour in range(3):
                    self._interleave(self._sources[index, colour, sub_row], colour)
                self._merge(tuple(self._planes), dst=rows[index, :, sub_row])

    def _lay_out(self) -> None:
        (count, height, width), s = self._shape, self._scale
        self._packed = self._packed_memory.array((count, 3 * s * s, height, width), self._dtype)
        self._sources = self._packed.reshape(count, 3, s, s, height, width)
        # One row of each output cell at a time: three planes, each s sub-columns interleaved.
        self._planes = self._planes_memory.array((3, height, width * s), self._dtype)
        self._interleaved = self._planes.reshape(3, height, width, s)

    def _interleave(self, sub_columns: Frames, colour: int) -> None:
        self._merge(tuple(sub_columns), dst=self._interleaved[colour])
