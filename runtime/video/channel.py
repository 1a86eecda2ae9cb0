"""A bounded queue between two threads that can always be ended from outside."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class AbortedError(Exception):
    """The channel was aborted while an end of it waited or was about to use it."""


class Channel(Generic[T]):
    """First in, first out, at most `capacity` items; `put` and iteration wait as needed.

    `close` ends the iteration once everything put before was taken. `abort` wakes both ends at
    once with `AbortedError` and drops what is inside.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._aborted = False

    def put(self, item: T) -> None:
        """Add an item, waiting while the channel is full."""
        with self._changed:
            self._changed.wait_for(lambda: self._aborted or len(self._items) < self._capacity)
            if self._aborted:
                raise AbortedError
            self._items.append(item)
            self._changed.notify_all()

    def __iter__(self) -> Iterator[T]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._aborted or self._closed or self._items)
                if self._aborted:
                    raise AbortedError
                if not self._items:
                    return
                item = self._items.popleft()
                self._changed.notify_all()
            yield item
            del item  # hold no frame while waiting for the next

    def __len__(self) -> int:
        return len(self._items)

    def close(self) -> None:
        """Say that nothing more will be put."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def abort(self) -> None:
        """End both sides now."""
        with self._changed:
            self._aborted = True
            self._items.clear()
            self._changed.notify_all()
