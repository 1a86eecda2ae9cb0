"""Frame buffers that are used again instead of being allocated for every frame."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import numpy as np

from .frame import Image
from .overread import allocated_with_room


class FramePool:
    """Hands out uint8 arrays and takes them back. Thread-safe.

    The pool itself sets no limit: the bounded queues of a pipeline do, so the number of arrays is
    the length of the queues plus the few that are being worked on.
    """

    def __init__(self, allocate: Callable[[tuple[int, ...]], Image] | None = None) -> None:
        """`allocate` makes an uninitialised array of a shape; see `Upscaler.empty`."""
        self._allocate = allocate or _plain
        self._lock = threading.Lock()
        self._shape: tuple[int, ...] = ()
        self._free: list[Image] = []
        self._held: Counter[int] = Counter()
        self.allocated = 0
        """Arrays made so far."""

    def take(self, shape: tuple[int, ...]) -> Image:
        """Return an uninitialised C-contiguous array of `shape`."""
        with self._lock:
            if shape != self._shape:  # the frame size changed: the old buffers are of no use
                self._shape = shape
                self._free.clear()
            if self._free:
                return self._free.pop()
            self.allocated += 1
        return allocated_with_room(self._allocate, shape)

    def hold(self, array: Image) -> None:
        """Keep an array that was taken from being used again until one more `give_back`."""
        with self._lock:
            self._held[id(array)] += 1

    def give_back(self, array: Image) -> None:
        """Return an array that the caller will not read any more.

        It is used again when everyone who took or kept it has given it back.
        """
        with self._lock:
            if self._held[id(array)] > 1:
                self._held[id(array)] -= 1
            elif self._held.pop(id(array), 0) == 0 and array.shape == self._shape:
                self._free.append(array)


def _plain(shape: tuple[int, ...]) -> Image:
    return np.empty(shape, np.uint8)
