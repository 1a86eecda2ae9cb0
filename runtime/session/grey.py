"""Grey in is grey out: networks give the three channels of a grey frame slightly different values.

Measured on two cores with frames of 480×270 made four times larger: 5 µs to see that a frame has
colour, 0.1 ms to see that it has none, 0.5 ms to take the luma of its result. The mean of the
channels takes 120 ms in NumPy. Networks that keep grey grey by their weights would lose it again in
int8.
"""

from __future__ import annotations

import numpy as np

from ...common.libraries.opencv import load_cv2
from ..models.file import ModelSpec
from .protocol import Frames

_SAMPLED_ROWS = 16
_BLOCK_ROWS = 1080


def is_grey(frame: Frames) -> bool:
    """Whether H×W×3 has the same value in all three channels, everywhere."""
    step = max(1, len(frame) // _SAMPLED_ROWS)
    # Most frames have colour, and nearly all of them show it in one pixel or in a few rows.
    middle = frame[len(frame) // 2, frame.shape[1] // 2].tolist()
    if middle.count(middle[0]) < len(middle):
        return False
    if not _channels_agree(frame[step // 2 :: step]):
        return False
    blocks = range(0, len(frame), _BLOCK_ROWS)  # so that a large picture takes no memory more
    return all(_channels_agree(frame[start : start + _BLOCK_ROWS]) for start in blocks)


def stays_grey(spec: ModelSpec, frame: Frames) -> bool:
    """Whether what a model makes of H×W×3 has no colour; a style or a colouriser adds it."""
    return spec.task == "super-resolution" and spec.scale > 1 and is_grey(frame)


def make_grey(frame: Frames) -> Frames:
    """Put the BT.601 luma of H×W×3 BGR, contiguous, into all its channels, and return it.

    It is uint8 or uint16. The weights add up to 1 exactly, so that grey pixels keep their value.
    """
    cv2 = load_cv2()
    luma = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
    cv2.cvtColor(luma, cv2.COLOR_GRAY2BGR, dst=frame)
    return frame


def _channels_agree(frame: Frames) -> bool:
    blue, green, red = (frame[..., channel] for channel in range(3))
    return np.array_equal(blue, green) and np.array_equal(green, red)
