"""Time that passes at once when something has happened."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Stands in for the module `time`: a limit is over then, and no sooner on a busy machine."""

    def __init__(self, happened: Callable[[], bool], seconds: float) -> None:
        self._happened, self._seconds = happened, seconds
        self._added = 0.0

    def monotonic(self) -> float:
        if not self._added and self._happened():
            self._added = self._seconds
        return time.monotonic() + self._added

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
