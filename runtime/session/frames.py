"""Checks the arrays that a user hands to an upscaler."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...common.errors import FrameError
from .protocol import Frames

_EXPECTED = "expected uint8 H×W×3 or N×H×W×3 in BGR order"


def as_batch(frame: Any) -> Frames:  # noqa: ANN401 - whatever the user gives
    """Check one frame or a batch, and return it as C-contiguous uint8 N×H×W×3.

    It is copied only if it is not contiguous.

    Raises:
        FrameError: anything else; the message says what it is and how to convert it.
    """
    if frame is None:
        raise FrameError(
            f"the frame is None, {_EXPECTED}: the source has ended or could not be read"
        )
    if not isinstance(frame, np.ndarray):
        raise FrameError(f"the frame is a {type(frame).__name__}, {_EXPECTED} as a NumPy array")
    if frame.dtype != np.uint8:
        raise FrameError(f"the frame is {frame.dtype}, {_EXPECTED}: scale to 0–255 and cast first")
    if frame.ndim not in (3, 4) or frame.shape[-1] != 3:
        raise FrameError(f"the frame is {_shown(frame.shape)}, {_EXPECTED}{_advice(frame)}")
    if 0 in frame.shape:
        raise FrameError(f"the frame is {_shown(frame.shape)}, without a single pixel")
    batch = frame if frame.ndim == 4 else frame[np.newaxis]
    return np.ascontiguousarray(batch)


def check_out(out: Any, shape: tuple[int, ...]) -> Frames:  # noqa: ANN401 - likewise
    """Check that `out` is a writeable C-contiguous uint8 array of that shape, and return it.

    Raises:
        FrameError: it is not.
    """
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != shape:
        found = type(out).__name__
        if isinstance(out, np.ndarray):
            found = f"{out.dtype} {_shown(out.shape)}"
        raise FrameError(f"out is {found}, expected uint8 {_shown(shape)}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise FrameError("out must be writeable and C-contiguous: use np.empty(shape, np.uint8)")
    return out


def _advice(frame: np.ndarray[Any, Any]) -> str:
    if frame.ndim == 2 or frame.shape[-1:] == (1,):
        return ": convert it with cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)"
    if frame.ndim == 3 and frame.shape[-1] == 4:
        return ": convert it with cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)"
    return ""


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
