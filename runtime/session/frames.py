"""Checks the arrays that a user passes to an upscaler."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...common.errors import FrameError
from ..models.contract import DEEP_BITS
from .protocol import Frames


def dtype_of(depth: int) -> np.dtype[Any]:
    """The type of frames of 8 or 16 bits per channel."""
    return np.dtype(np.uint16 if depth == DEEP_BITS else np.uint8)


def bits_of(frame: Any) -> int | None:  # noqa: ANN401 - whatever the user gives
    """Bits per channel of frames, 8 or 16; None if they are no frames."""
    if not isinstance(frame, np.ndarray):
        return None
    return {np.dtype(np.uint8): 8, np.dtype(np.uint16): DEEP_BITS}.get(frame.dtype)


def as_batch(frame: Any, depth: int = 8) -> Frames:  # noqa: ANN401 - likewise
    """Check one frame or a batch, and return it as C-contiguous N×H×W×3, uint8 or, of 16 bits,
    uint16.

    It is copied only if it is not contiguous.

    Raises:
        FrameError: anything else; the message says what it is and how to convert it.
    """
    wanted = dtype_of(depth)
    expected = f"expected {wanted} H×W×3 or N×H×W×3 in BGR order"
    if frame is None:
        raise FrameError(
            f"the frame is None, {expected}: the source has ended or could not be read"
        )
    if not isinstance(frame, np.ndarray):
        raise FrameError(f"the frame is a {type(frame).__name__}, {expected} as a NumPy array")
    if frame.dtype != wanted:
        most = np.iinfo(wanted).max
        raise FrameError(
            f"the frame is {frame.dtype}, {expected}: scale to 0–{most} and cast first"
        )
    if frame.ndim not in (3, 4) or frame.shape[-1] != 3:
        raise FrameError(f"the frame is {_shown(frame.shape)}, {expected}{_advice(frame)}")
    if 0 in frame.shape:
        raise FrameError(f"the frame is {_shown(frame.shape)}, without a single pixel")
    batch = frame if frame.ndim == 4 else frame[np.newaxis]
    return np.ascontiguousarray(batch)


def check_out(out: Any, shape: tuple[int, ...], depth: int = 8) -> Frames:  # noqa: ANN401
    """Check that `out` is a writeable C-contiguous array of that shape and depth; return it.

    Raises:
        FrameError: it is not.
    """
    wanted = dtype_of(depth)
    if not isinstance(out, np.ndarray) or out.dtype != wanted or out.shape != shape:
        found = type(out).__name__
        if isinstance(out, np.ndarray):
            found = f"{out.dtype} {_shown(out.shape)}"
        raise FrameError(f"out is {found}, expected {wanted} {_shown(shape)}")
    if not out.flags.c_contiguous or not out.flags.writeable:
        raise FrameError(
            f"out must be writeable and C-contiguous: use np.empty(shape, np.{wanted})"
        )
    return out


def require_single(frame: Frames) -> None:
    """Raise FrameError for a batch, where the frames of a sequence are taken one by one."""
    if frame.ndim != 3:
        raise FrameError("a sequence takes one frame after the other, H×W×3")


def _advice(frame: np.ndarray[Any, Any]) -> str:
    if frame.ndim == 2 or frame.shape[-1:] == (1,):
        return ": convert it with cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)"
    if frame.ndim == 3 and frame.shape[-1] == 4:
        return ": convert it with cv2.cvtColor(frame, cv2.COLOR_BGRA2BGR)"
    return ""


def _shown(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a single number"
