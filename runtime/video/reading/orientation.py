"""How a picture is to be turned for display."""

from __future__ import annotations

import math
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The nine fixed-point numbers of FFmpeg, or `None` for a picture that is upright."""
    try:
        side_data = cast("dict[str, SideData]", frame.side_data)
    except ValueError:  # PyAV has no name for a kind of it, as for EXIF in the frames of a camera
        return _rotation_matrix(frame.rotation)
    if "DISPLAYMATRIX" not in side_data:
        return None
    values: list[int] = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), np.int32).tolist()
    return tuple(values)


def _rotation_matrix(degrees: int) -> tuple[int, ...] | None:
    """FFmpeg's display matrix of a counter-clockwise turn, in 16.16 and 2.30 fixed point."""
    if not degrees:
        return None
    cosine, sine = (round(f(math.radians(degrees)) * (1 << 16)) for f in (math.cos, math.sin))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30)
