"""When a film begins and ends, as the header of its file says."""

from __future__ import annotations

from fractions import Fraction

import av
from av.stream import Disposition, Stream

from ....common.libraries.pyav import exact

# The duration in their header is the time of the end, wherever the beginning is: so FFmpeg writes
# it. Others write the distance; what of such a file is missing shows in the log.
_TIMED_FROM_ZERO = frozenset({"matroska,webm"})


def film_times(
    container: av.container.InputContainer, only: Stream | None = None
) -> tuple[Fraction, Fraction]:
    """When its pictures and sound begin and end, in seconds; or when the stream `only` ends.

    In MP4 each track states it. There, chapters and subtitles are tracks of text, which may last
    longer than the film, and libav does not give all their packets away; a cover states nothing.
    FFmpeg's AVI files count empty packets where the sound pauses, which are not given away either.
    """
    start = Fraction(container.start_time or 0, av.time_base)
    stated = Fraction(container.duration or 0, av.time_base)
    if container.format.name in _TIMED_FROM_ZERO:
        start = Fraction(0)
    counted: list[Stream] = [
        *(one for one in container.streams.video if not one.disposition & Disposition.attached_pic),
        *container.streams.audio,
    ]
    if only is not None:
        counted = [only]
    elif "mp4" not in container.format.name:
        return start, start + stated
    ends = [
        ((one.start_time or 0) + one.duration) * unit
        for one in counted
        if one.duration and (unit := exact(one.time_base))
    ]
    return start, max(ends) if ends and len(ends) == len(counted) else start + stated
