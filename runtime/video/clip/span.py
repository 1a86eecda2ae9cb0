"""The part of a clip that is read, from `--start` to `--end`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from ....common.errors import ConfigError

_LATEST_SECONDS = 10**9
_LONGEST_TEXT = 40
_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?|\.\d+)")


@dataclass(frozen=True)
class Span:
    """Frames with start ≤ time < end, in seconds of the input; `None` is its end.

    A start of 0 is the beginning, and includes frames before time 0.

    Raises:
        ConfigError: it is empty.
    """

    start: Fraction = Fraction(0)
    end: Fraction | None = None

    def __post_init__(self) -> None:
        if self.end is not None and self.end <= self.start:
            start, end = float(self.start), float(self.end)
            raise ConfigError(f"the end at {end:g} s is not after the start at {start:g} s")

    @property
    def is_whole(self) -> bool:
        """Whether nothing is cut off."""
        return self == Span()

    @property
    def is_from_the_beginning(self) -> bool:
        """Whether nothing is cut off before the first frame."""
        return not self.start


def parse_time(text: str) -> Fraction:
    """The exact seconds of "90", "1:30", "01:30.5" or "1:02:03.25".

    Raises:
        ConfigError: it is no such time.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ConfigError(
            f"{text!r} is not a time: write seconds, such as 90.5, or h:mm:ss, such as 1:02:03.5"
        )
    if len(text) > _LONGEST_TEXT:
        raise ConfigError(
            f"{text[:_LONGEST_TEXT]}...: is not a time: it has {len(text)} characters"
        )
    hours, minutes, seconds = match.groups()
    if (minutes and Fraction(seconds) >= 60) or (hours and int(minutes) >= 60):
        raise ConfigError(f"{text!r} is not a time: seconds and minutes after a colon are below 60")
    time = int(hours or 0) * 3600 + int(minutes or 0) * 60 + Fraction(seconds)
    if time > _LATEST_SECONDS:
        raise ConfigError(f"{text!r} is later than any video is long; write seconds or h:mm:ss")
    return time
