"""What FFmpeg attaches to decoded frames."""

from __future__ import annotations

import math
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideData


def side_data_of(frame: av.VideoFrame) -> dict[str, SideData]:
    """By FFmpeg's names; {} where PyAV has no name for a kind, as for EXIF of a camera."""
    try:
        return cast("dict[str, SideData]", frame.side_data)
    except ValueError:
        return {}


def display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """How a picture is to be turned for display: the nine fixed-point numbers of FFmpeg, or `None`
    for one that is upright.
    """
    matrix = side_data_of(frame).get("DISPLAYMATRIX")
    if matrix is None:
        return _rotation_matrix(frame.rotation)
    values: list[int] = np.frombuffer(bytes(matrix), np.int32).tolist()
    return tuple(values)


def _rotation_matrix(degrees: int) -> tuple[int, ...] | None:
    """FFmpeg's display matrix of a counter-clockwise turn, in 16.16 and 2.30 fixed point."""
    if not degrees:
        return None
    cosine, sine = (round(f(math.radians(degrees)) * (1 << 16)) for f in (math.cos, math.sin))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, 1 << 30)
