"""What a backend must implement. A new one is a module with an `open` and a `missing`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, runtime_checkable

from numpy.typing import NDArray

from ...common.errors import BackendError

Frames = NDArray[Any]
"""uint8, or uint16 over its full range for a model of 16 bits."""


class Session(Protocol):
    """A model loaded on a device, ready to run. Used by one thread at a time, not always one."""

    name: str
    provider: str
    device: str

    def run(self, frames: Frames, out: Frames) -> None:
        """Upscale `frames` into `out`.

        Args:
            frames: uint8 or, of a model of 16 bits, uint16 N×H×W×3 BGR, C-contiguous; of a model
                of several frames its window.
            out: the same N×(sH)×(sW)×3 BGR, C-contiguous and writeable, overwritten; of such a
                model one frame.

        Raises:
            BackendError: the engine failed.
        """
        ...

    def describe(self) -> dict[str, str | int]:
        """What really runs: engine and version, provider, device, threads and the like."""
        ...

    def close(self) -> None:
        """Free the model and its buffers; the session is not used afterwards."""
        ...


UNDER_WAY = 2
"""Frames that a `PipelinedSession` works on at once: one is copied while another is computed."""


@runtime_checkable
class PipelinedSession(Session, Protocol):
    """A session that returns before a frame is finished, so that copies run beside computation.

    At most `UNDER_WAY` calls of `start` may not have been waited for, all with frames of one shape;
    `run` is called when all have been.
    """

    @property
    def pipelined(self) -> bool:
        """Whether it really does; else only `run` is called."""
        ...

    def empty(self, shape: tuple[int, ...]) -> Frames:
        """An uninitialised uint8 array that the GPU copies from and to by itself.

        Frames on other memory are copied once more, by the processor. It stays valid as long as it
        exists, also after `close`. Raises BackendError if there is no such memory.
        """
        ...

    def start(self, frames: Frames, out: Frames) -> Callable[[], None]:
        """Start to upscale `frames` into `out`, as of `run`; `frames` may be changed on return.

        Returns what waits until the result is in `out`, which is to be left alone until then. What
        was started first is waited for first. Both raise BackendError; whatever else is under way
        is lost with it.
        """
        ...

    def drop(self) -> None:
        """Give up what is under way, if anything is."""
        ...


@runtime_checkable
class CancellableSession(Session, Protocol):
    """A session whose calls can take long before they compute, as an engine is built."""

    def cancel(self) -> None:
        """Make a call that builds in another thread end soon with a BackendError."""
        ...


class Change(Protocol):
    """What is to be computed of a frame, as of `KeptLayers.change`."""

    @property
    def cost(self) -> float:
        """Time relative to that of a whole frame."""


C = TypeVar("C", bound=Change)


class KeptLayers(Protocol[C]):
    """A frame and what all layers of a model made of it, so that the next one takes less.

    When a call fails, what is kept is of no frame: `compute` is called next.
    """

    def compute(self, frame: Frames, out: Frames) -> None:
        """Upscale a frame, H×W×3, to `out`, sH×sW×3, and keep it. Raises BackendError."""

    def change(self, frame: Frames, last: Frames, out: Frames, *, likely: bool) -> C:
        """What is to be computed for a frame instead of the one that is kept.

        `last` and `out` are as of `update`. If it is `likely` to be called, `out` may be written
        to.
        """

    def update(self, frame: Frames, change: C, last: Frames, out: Frames, *, grey: bool) -> float:
        """Write the result of a frame to `out`, and keep this one.

        `last` is the result of the frame that was kept, from which all is taken that did not
        change. What is computed is made grey if asked. Returns the share of the result that was
        computed, from 0 to 1. Raises BackendError.
        """

    def holds(
        self, change: C, result: Frames, again: Frames, *, grey: bool, all_rows: bool
    ) -> bool:
        """Whether parts of the frame that is kept come out again as in its result: all rows that
        `change` reaches, or some of them.

        They are written to `again`, of the same shape. Raises BackendError.
        """


@runtime_checkable
class LayeredSession(Session, Protocol):
    """A session that can keep what layers made."""

    def keep_layers(self, height: int, width: int) -> KeptLayers[Any] | None:
        """Memory for frames of that size; None if the model or the machine does not allow it.

        Raises BackendError: the engine failed.
        """


@contextmanager
def failures_of(backend: str) -> Iterator[None]:
    """Say in a BackendError which backend failed."""
    try:
        yield
    except BackendError as error:
        raise BackendError(f"{backend} failed: {error}") from error
