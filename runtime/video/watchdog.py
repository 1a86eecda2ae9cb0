"""Ends a run in which a stage is stuck, so that nothing waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from ...common.errors import BackendError, FrameliftError, InputError, OutputError

# What one frame may take at most. An engine may be built on the first frame, and the last of an
# encoder's many frames may come out at once on a slow disk.
LIMIT_SECONDS = {"decode": 120.0, "upscale": 1800.0, "encode": 600.0}
_ERRORS: dict[str, tuple[type[FrameliftError], str]] = {
    "decode": (InputError, "the input gave no frame"),
    "upscale": (BackendError, "the backend did not finish a frame"),
    "encode": (OutputError, "the output took no frame"),
}


class Watchdog:
    """Knows since when each stage works at its frame. Thread-safe."""

    def __init__(self, limit_seconds: dict[str, float] | None = None) -> None:
        self._limits = dict(limit_seconds or LIMIT_SECONDS)
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    def ignore(self, stage: str) -> None:
        """Let a stage take as long as it likes."""
        self._limits.pop(stage, None)

    @contextmanager
    def watch(self, stage: str) -> Iterator[None]:
        """The block is what a stage does for one frame."""
        with self._lock:
            self._since[stage] = monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._since.pop(stage, None)

    def check(self) -> None:
        """Raise `InputError`, `BackendError` or `OutputError` when a stage is over its limit."""
        now = monotonic()
        with self._lock:
            late = [
                stage
                for stage, since in self._since.items()
                if now - since > self._limits.get(stage, float("inf"))
            ]
        for stage in late:
            kind, what = _ERRORS[stage]
            raise kind(f"{what} for {self._limits[stage]:g} s; gave up")
