"""One timeline for a live source, whose own clock starts anywhere and may start over."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from time import monotonic

TIME_BASE = Fraction(1, 90000)
# A stream's clock may run ahead of or behind the wall by this much before it is distrusted.
_JUMP_SECONDS = 5.0


class LiveClock:
    """Turns the times that frames state into times since the first frame.

    Within a connection the stated distances are kept. Where the clock jumps, after a new
    connection and for frames without a time, the time of arrival counts. A reader that `keeps_all`
    may fall behind the source: then frames that arrive late say nothing about the clock.
    """

    def __init__(self, now: Callable[[], float] = monotonic, *, keeps_all: bool = False) -> None:
        self._now = now
        self._keeps_all = keeps_all
        self._last_stated = 0.0
        self._started: float | None = None
        self._offset: float | None = None
        self._quickest = 0.0
        self._last_pts = -1

    def restart(self) -> None:
        """A new connection: its clock has nothing to do with the last one's."""
        self._offset = None

    def place(self, stated_seconds: float) -> float | None:
        """The time that sound with that time has among the frames; `None`: it is not known yet."""
        if self._offset is None or self._started is None:
            return None
        seconds = stated_seconds + self._offset
        return None if self._jumps(stated_seconds, self._now() - self._started) else seconds

    def stamp(self, stated_seconds: float | None) -> tuple[int, float]:
        """The frame's time in units of 1/90000 s, later than the last; and how old it is.

        The age is that against the quickest frame of the connection, in seconds.
        """
        now = self._now()
        if self._started is None:
            self._started = now
        elapsed = now - self._started
        if stated_seconds is None:
            seconds, age = elapsed, 0.0
        else:
            if self._offset is None or self._jumps(stated_seconds, elapsed):
                self._offset = elapsed - stated_seconds
                self._quickest = 0.0
            self._last_stated = stated_seconds
            seconds = stated_seconds + self._offset
            self._quickest = min(self._quickest, elapsed - seconds)
            age = elapsed - seconds - self._quickest
        self._last_pts = max(self._last_pts + 1, round(seconds / TIME_BASE))
        return self._last_pts, age

    def _jumps(self, stated_seconds: float, elapsed: float) -> bool:
        """Whether a time cannot be of the clock that the times before it are of."""
        assert self._offset is not None
        ahead = stated_seconds + self._offset - elapsed
        if self._keeps_all:
            return ahead > _JUMP_SECONDS or self._last_stated - stated_seconds > _JUMP_SECONDS
        return abs(ahead) > _JUMP_SECONDS
