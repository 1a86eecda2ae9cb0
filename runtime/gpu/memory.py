"""GPU memory, page-locked host memory, streams and events that are all freed together."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime

from ...common.errors import BackendError
from ..session.protocol import Frames
from .cuda import call
from .cuda_gate import GATE

# Blocks that could not be freed when the last array on them went: a graph was being recorded.
_abandoned: deque[int] = deque()


class PinnedMemory:
    """Page-locked host memory, which the GPU copies from and to by itself.

    It is freed with the last array that lies on it, which may be long after everything else.
    """

    def __init__(self, size_bytes: int) -> None:
        """Raises BackendError if there is none."""
        self.address = 0
        with GATE.using():
            _free_abandoned()
            self.address = int(call(runtime.cudaMallocHost, max(1, size_bytes)))
        self.__array_interface__ = {
            "version": 3,
            "typestr": "|u1",
            "shape": (size_bytes,),
            "data": (self.address, False),
        }

    def __del__(self) -> None:
        # In whatever thread the last array went, and also while the interpreter ends.
        if self.address:
            _abandoned.append(self.address)
            if GATE.is_free():
                _free_abandoned()


def pinned_array(shape: tuple[int, ...]) -> Frames:
    """An uninitialised uint8 array on page-locked memory of its own. Raises BackendError."""
    return np.asarray(PinnedMemory(int(np.prod(shape)))).reshape(shape)


def lies_pinned(array: Frames) -> bool:
    """Whether an array is one piece of memory of `pinned_array`."""
    holder: object = array
    while isinstance(holder, np.ndarray):
        holder = holder.base
    return isinstance(holder, PinnedMemory) and array.flags.c_contiguous


def _free_abandoned() -> None:
    while _abandoned:
        with contextlib.suppress(BackendError, IndexError):  # another thread took the last one
            call(runtime.cudaFreeHost, _abandoned.popleft())


class Resources:
    """Everything allocated through it lives until `close`, or until an allocation fails."""

    def __init__(self) -> None:
        self._free: list[tuple[Callable[..., Any], Any]] = []

    def device(self, size_bytes: int) -> int:
        """Address of new GPU memory."""
        return int(self._keep(runtime.cudaFree, call(runtime.cudaMalloc, max(1, size_bytes))))

    def stream(self) -> Any:  # noqa: ANN401 - a CUDA handle
        """A stream that does not wait for the default stream."""
        handle = call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        return self._keep(runtime.cudaStreamDestroy, handle)

    def event(self) -> Any:  # noqa: ANN401
        """An event that orders streams, takes the time, and lets the processor rest meanwhile."""
        handle = call(runtime.cudaEventCreateWithFlags, runtime.cudaEventBlockingSync)
        return self._keep(runtime.cudaEventDestroy, handle)

    def graph(self, executable: Any) -> Any:  # noqa: ANN401
        """Own an instantiated CUDA graph."""
        return self._keep(runtime.cudaGraphExecDestroy, executable)

    def close(self) -> None:
        """Free everything, newest first. Closing twice is fine."""
        while self._free:
            release, handle = self._free.pop()
            with contextlib.suppress(BackendError):  # after a failed kernel every call fails
                call(release, handle)

    def _keep(self, release: Callable[..., Any], handle: Any) -> Any:  # noqa: ANN401
        self._free.append((release, handle))
        return handle
