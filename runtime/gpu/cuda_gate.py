"""Keeps other threads from calling CUDA while ONNX Runtime records a CUDA graph.

It records in CUDA's global mode, in which an allocation, a free or a query by any other thread ends
the recording with an error. So what calls CUDA says so by `using`, a recording waits until nobody
else does and keeps them waiting meanwhile, and where somebody uses CUDA all the time and says it
only once, as an encoder does, there is no recording.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class _Thread(threading.local):
    """How deep this thread is inside of `using`."""

    depth = 0


class CudaGate:
    """Lets many threads use CUDA at once, or one of them record. One serves the whole process."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._waiting = 0
        self._recording = False
        self._lasting: Counter[str] = Counter()
        self._thread = _Thread()

    @contextmanager
    def using(self) -> Iterator[None]:
        """Around calls of CUDA that end soon; also inside of each other and of `recording`."""
        thread = self._thread
        if not thread.depth:
            with self._changed:
                # Also not while a recording waits: others would go on and on, and it never begin.
                self._changed.wait_for(lambda: not self._recording and not self._waiting)
                self._inside += 1
        thread.depth += 1
        try:
            yield
        finally:
            thread.depth -= 1
            if not thread.depth:
                with self._changed:
                    self._inside -= 1
                    self._changed.notify_all()

    @contextmanager
    def recording(self) -> Iterator[str]:
        """Around a recording: nobody else is inside of `using`.

        Yields who uses CUDA all the time, in which case nothing may be recorded; "" for nobody.
        """
        own = 1 if self._thread.depth else 0
        with self._changed:
            self._inside -= own  # while it waits, this thread calls nothing
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: not self._recording and not self._inside)
                self._recording = True
            finally:
                self._waiting -= 1
                if not self._recording:
                    self._inside += own
                    self._changed.notify_all()
            others = " and ".join([*sorted(+self._lasting), *_other_libraries()])
        self._thread.depth += 1  # what it calls itself need not ask
        try:
            yield others
        finally:
            self._thread.depth -= 1
            with self._changed:
                self._recording = False
                self._inside += own
                self._changed.notify_all()

    @contextmanager
    def using_all_the_time(self, name: str) -> Iterator[None]:
        """Around what calls CUDA whenever it likes, named as in "NVENC encodes"."""
        with self._changed:
            self._changed.wait_for(lambda: not self._recording)
            self._lasting[name] += 1
        try:
            yield
        finally:
            with self._changed:
                self._lasting[name] -= 1

    def is_free(self) -> bool:
        """Whether nobody records or waits to: for frees that cannot wait."""
        return not (self._recording or self._waiting)


def _other_libraries() -> list[str]:
    """Libraries that may call CUDA from any thread, of those that are loaded and have begun to."""
    found = []
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        found.append("PyTorch uses CUDA in this process")
    if "cupy" in sys.modules:
        found.append("CuPy is loaded in this process")
    return found


GATE = CudaGate()
"""The gate of this process."""
