"""How many frames a second a stream has."""

from __future__ import annotations

from fractions import Fraction

import av

from ....common.libraries.pyav import exact

_FASTEST = 1000
"""Frames a second; what is more comes from the unit of time and not from a camera."""


def frame_rate(stream: av.VideoStream) -> Fraction | None:
    """Frames a second as far as the stream states, or `None`.

    Some demuxers, such as that of raw DV, state the unit of time as the average. The rate that
    libav finds by looking at the first frames counts then.
    """
    average, guessed = exact(stream.average_rate), exact(stream.guessed_rate)
    unit = exact(stream.time_base)
    for rate in (average, guessed):
        is_unit = bool(rate and unit and rate * unit == 1)
        if rate and rate <= _FASTEST and not (is_unit and guessed and guessed < rate):
            return rate
    return None
