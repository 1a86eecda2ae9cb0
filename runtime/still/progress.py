"""How far a large picture is, and how long it takes, on the standard error output."""

from __future__ import annotations

from time import monotonic

from ...common.progress import LINE_EVERY_SECONDS, Progress

_SOON_SECONDS = 1.0


class PictureProgress:
    """A bar on a terminal, else a line every ten seconds, for pictures that take over a second.

    What is counted are tiles, or another `unit`. The first line says how long the whole will take:
    at the second call, as the first one takes longer than the others, or at the first one if that
    takes long by itself. The time counts from the call that says that none are done.
    """

    def __init__(self, name: str, *, unit: str = "tiles", quiet: bool = False) -> None:
        self._name = name
        self._unit = unit
        self._quiet = quiet
        self._began = monotonic()
        self._first: tuple[int, float] | None = None
        self._shown: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show how many are done; with 0, they begin now."""
        now = monotonic()
        if done == 0:
            self._began, self._first = now, None
            return
        spent = now - self._began
        left = spent * (total - done) / done
        if self._first is None:
            self._first = done, now
            if total > done and spent < LINE_EVERY_SECONDS:
                return
        elif done > self._first[0]:
            left = (now - self._first[1]) * (total - done) / (done - self._first[0])
        if self._quiet or spent + left < _SOON_SECONDS:
            return
        if self._shown is None:
            self._shown = Progress(
                self._name, total, at_once=True, unit=f" {self._unit}", dynamic_ncols=True
            )
        self._shown.show(
            done, lambda: f"{self._name}: {done}/{total} {self._unit}, about {duration(left)} left"
        )
        if done == total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._shown is not None:
            self._shown.close()
            self._shown = None


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
