"""An array of the last frame: kept in its pool, or copied."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from ..session.protocol import Frames


class Holder(Protocol):
    """A pool of arrays, of which some are kept from being used again."""

    def hold(self, array: Frames) -> None:
        """Keep an array as it is until one more `give_back`."""

    def give_back(self, array: Frames) -> None:
        """Return an array that was taken or kept."""


class Kept:
    """One array at a time, to which nobody writes."""

    def __init__(self) -> None:
        self.array: Frames = np.empty((0, 0, 3), np.uint8)
        self._pool: Holder | None = None

    def take(self, out: Frames, pool: Holder | None) -> Frames:
        """Keep `out` instead of what was kept, and return it; without a `pool`, keep a copy."""
        if self._pool is not None:
            self._pool.give_back(self.array)
        if pool is not None:
            pool.hold(out)
            self.array = out
        else:
            same_kind = self.array.shape == out.shape and self.array.dtype == out.dtype
            if self._pool is not None or not same_kind:
                self.array = np.empty_like(out)
            np.copyto(self.array, out)
        self._pool = pool
        return out

    def instead_of(self, out: Frames, pool: Holder | None) -> Frames:
        """What is kept, to be given back to the `pool` for `out`; without one, copied to `out`."""
        if pool is None or pool is not self._pool:
            np.copyto(out, self.array)
            return out
        pool.hold(self.array)
        pool.give_back(out)
        return self.array
