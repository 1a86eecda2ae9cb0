"""What FFmpeg attaches to decoded frames."""

from __future__ import annotations

from typing import cast

import av
from av.sidedata.sidedata import SideData


def side_data_of(frame: av.VideoFrame) -> dict[str, SideData]:
    """By FFmpeg's names; {} where PyAV has no name for a kind, as for EXIF of a camera."""
    try:
        return cast("dict[str, SideData]", frame.side_data)
    except ValueError:
        return {}
