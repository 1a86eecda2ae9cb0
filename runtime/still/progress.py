"""How far a large picture is, and how long it takes, on the standard error output."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm

_SOON_SECONDS = 1.0
_LINE_EVERY_SECONDS = 10.0


class PictureProgress:
    """A bar on a terminal, else a line every ten seconds, for pictures that take over a second.

    The first line says how long the whole will take: after the second tile, as the first one takes
    longer than the others, or after the first one if that takes long by itself.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._began = monotonic()
        self._first_done = self._next_line = 0.0
        self._bar: tqdm[None] | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show how many of the tiles are done."""
        now = monotonic()
        spent = now - self._began
        left = spent * (total - done) / done
        if done == 1:
            self._first_done = now
            if total > 1 and spent < _LINE_EVERY_SECONDS:
                return
        else:
            left = (now - self._first_done) * (total - done) / (done - 1)
        if self._quiet or spent + left < _SOON_SECONDS:
            return
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                tqdm.monitor_interval = 0  # its thread would outlive the bar
                self._bar = tqdm(desc=self._name, total=total, unit=" tiles", dynamic_ncols=True)
            self._bar.update(done - self._bar.n)
            if done == total:
                self.close()
        elif monotonic() >= self._next_line and done < total:
            self._next_line = monotonic() + _LINE_EVERY_SECONDS
            sys.stderr.write(f"{self._name}: {done}/{total} tiles, about {duration(left)} left\n")

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
