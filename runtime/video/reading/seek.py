"""Where to begin to decode for the frames from some time on, exactly as if read from the start."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from pathlib import Path

import av

from ....common.libraries.pyav import unit_of
from ..clip.input_file import open_input
from .deinterlace import is_interlaced

# Containers with an index of key frames and a time for every frame.
_INDEXED = frozenset({"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"})
# How long before the wanted time a key frame is looked for. The index goes by decoding times,
# which run behind, and of a key frame only those shown after it can be decoded alone.
_LEADS_SECONDS = (1, 10, 60)


def seek_point(path: Path, stream_index: int, start: Fraction) -> int | None:
    """The time to seek to, in the stream's units, for all frames from `start` seconds on.

    Returns `None` where reading from the beginning is the only safe way: other containers, no key
    frame before `start`, interlaced video (whose frames take from their neighbours), and whatever
    is wrong with the file, which reading it will show.
    """
    try:
        with open_input(path) as container:
            stream = container.streams[stream_index]
            if container.format.name not in _INDEXED or not isinstance(stream, av.VideoStream):
                return None
            unit = unit_of(stream)
            for lead in _LEADS_SECONDS:
                stamp = floor((start - lead) / unit)
                if stamp <= 0:
                    return None
                container.seek(stamp, stream=stream)
                frame = next(container.decode(stream), None)
                if frame is None or is_interlaced(frame, stream):
                    return None
                if frame.key_frame and frame.pts is not None and frame.pts * unit < start:
                    return stamp
    except av.FFmpegError:
        return None
    return None
