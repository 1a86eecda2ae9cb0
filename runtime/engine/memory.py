"""GPU memory, page-locked host memory, streams and events that are all freed together."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from cuda.bindings import runtime

from ...imaging.errors import BackendError
from ..backends.base import Frames
from .cuda import call


class Resources:
    """Everything allocated through it lives until `close`, or until an allocation fails."""

    def __init__(self) -> None:
        self._free: list[tuple[Callable[..., Any], Any]] = []

    def device(self, size_bytes: int) -> int:
        """Address of new GPU memory."""
        return int(self._keep(runtime.cudaFree, call(runtime.cudaMalloc, max(1, size_bytes))))

    def pinned(self, size_bytes: int) -> tuple[int, Frames]:
        """New page-locked host memory: its address, and it as a flat uint8 array.

        The array is invalid after `close`.
        """
        address = int(self._keep(runtime.cudaFreeHost, call(runtime.cudaMallocHost, size_bytes)))
        block = (ctypes.c_uint8 * size_bytes).from_address(address)
        return address, np.ctypeslib.as_array(block)

    def stream(self) -> Any:  # noqa: ANN401 - a CUDA handle
        """A stream that does not wait for the default stream."""
        handle = call(runtime.cudaStreamCreateWithFlags, runtime.cudaStreamNonBlocking)
        return self._keep(runtime.cudaStreamDestroy, handle)

    def event(self) -> Any:  # noqa: ANN401
        """An event that orders streams and takes the time."""
        handle = call(runtime.cudaEventCreateWithFlags, runtime.cudaEventDefault)
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
