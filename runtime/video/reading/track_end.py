"""When the track of a file ends, as far as its headers show."""

from __future__ import annotations

from fractions import Fraction

import av

from ....common.libraries.pyav import exact


def track_end(stream: av.VideoStream) -> Fraction | None:
    """The time in seconds at which the last frame is no longer shown; `None` if not stated.

    Of a Matroska track that begins late, some programs state when it ends and others how long it
    lasts: that counts as not stated. Where a format states nothing of a track, libav takes the
    length of the longest one.
    """
    format_name = stream.container.format.name
    start, length, unit = stream.start_time or 0, stream.duration, exact(stream.time_base)
    if "mp4" in format_name and length and unit:
        return (start + length) * unit
    if format_name == "avi" and length and unit:
        return length * unit  # its clock begins at 0
    if "matroska" in format_name and not start:
        return _matroska_end(stream)
    return None


def _matroska_end(stream: av.VideoStream) -> Fraction | None:
    container = stream.container
    assert isinstance(container, av.container.InputContainer)
    stated = _seconds(stream.metadata.get("DURATION", ""))
    if not container.duration:
        return stated
    whole = Fraction(container.duration, av.time_base)
    if stated is not None:
        return min(stated, whole)  # the tag may be older than a cut
    return whole if len(container.streams) == 1 else None


def _seconds(text: str) -> Fraction | None:
    """Of what Matroska's tag DURATION says, such as "00:00:01.480000000"."""
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)
    except (ValueError, ZeroDivisionError):
        return None
