"""A bounded queue between two threads that can always be ended from outside."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class AbortedError(Exception):
    """The channel was ended while an end of it waited or was about to use it."""


class Channel(Generic[T]):
    """First in, first out, at most `capacity` items; `put` and iteration wait as needed.

    With `latest`, `put` does not wait: what lies in a full channel longest makes room.

    `close` ends the iteration once everything put before was taken. `abort` wakes both ends at
    once with `AbortedError` and drops what is inside.
    """

    def __init__(self, capacity: int, *, latest: bool = False) -> None:
        self._capacity = capacity
        self._latest = latest
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False

    def put(self, item: T) -> T | None:
        """Add an item and return the one that it displaced, if any.

        Raises:
            AbortedError: the channel was aborted or closed.
        """
        with self._changed:
            if not self._latest:
                self._changed.wait_for(lambda: self._ended or not self._full)
            if self._ended:
                raise AbortedError
            displaced = self._items.popleft() if self._full else None
            self._items.append(item)
            self._changed.notify_all()
        return displaced

    def __iter__(self) -> Iterator[T]:
        while (item := self.take()) is not None:
            yield item
            del item  # hold no frame while waiting for the next

    def take(self, *, wait: bool = True) -> T | None:
        """The next item; None at the end, or at once if there is none and `wait` is off.

        Raises:
            AbortedError: the channel was aborted.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._ended or self._items)
            if self._aborted:
                raise AbortedError
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
        return item

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """Say that nothing more will be put; a `put` that waits ends with `AbortedError`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """End both sides now."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()

    @property
    def _full(self) -> bool:
        return len(self._items) >= self._capacity

    @property
    def _ended(self) -> bool:
        return self._aborted or self._closed
