"""Calls of several threads, one after the other, and an end that waits for the one that runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ...common.errors import BackendError


class Turns:
    """Guards something that one thread may use at a time and that is freed once.

    It is freed by `close`, or by the call that runs meanwhile if that takes longer than `close`
    waits: never under a call.
    """

    def __init__(self, free: Callable[[], None], cancel: Callable[[], None]) -> None:
        """For something that `free` frees; `cancel` asks a call in another thread to end soon."""
        self._free: Callable[[], None] | None = free
        self._cancel = cancel
        self._lock = threading.Lock()
        self.closing = False
        """Whether `close` was called."""

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the calls of other threads, and keep them waiting meanwhile.

        Raises BackendError: it was closed.
        """
        with self._lock:
            try:
                self.check()
                yield
            finally:
                if self.closing:  # and perhaps gave up waiting for this call
                    self._free_once()

    def check(self) -> None:
        """Raise BackendError if `close` was called: long calls ask on the way."""
        if self.closing:
            raise BackendError("the upscaler is closed: load the model again")

    def close(self, wait_seconds: float) -> None:
        """Refuse further calls, and free when the running one has ended.

        That is waited for at most so long; later, the call frees at its end.
        """
        self.closing = True
        self._cancel()
        if self._lock.acquire(timeout=wait_seconds):
            try:
                self._free_once()
            finally:
                self._lock.release()

    def _free_once(self) -> None:
        free, self._free = self._free, None
        if free is not None:
            free()
