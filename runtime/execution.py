"""A model on a session: the calls of all threads in turn, frames cut to fit the memory, two in
progress.

What is on top of it, `Upscaler`, checks what users pass and handles both depths.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..common.errors import BackendError
from ..common.libraries.memory import is_out_of_memory
from ..common.notes import Say
from .cutting import Cutter, checked_tile
from .models.contract import DEEP_BITS
from .models.file import ModelSpec
from .models.memory import activation_budget
from .session.frames import dtype_of
from .session.pending import Pending, PendingFrames
from .session.protocol import (
    CancellableSession,
    Frames,
    KeptLayers,
    LayeredSession,
    PipelinedSession,
    Session,
)
from .session.turns import Turns


class Execution:
    """Runs whole windows of frames of the model's depth; any thread may call it."""

    def __init__(
        self,
        spec: ModelSpec,
        session: Session,
        *,
        tile: int | None,
        say: Say,
        free_too: Callable[[], None],
    ) -> None:
        """Run `spec` on `session`, and close that at the end.

        Args:
            spec: the model.
            session: what runs it.
            tile: largest side of a tile, in input pixels; None leaves it to the free memory.
            say: takes the line that is printed when memory runs out.
            free_too: called when this is closed, before its own memory is freed.

        Raises ConfigError: the model cannot be run in tiles of that side.
        """
        self.spec = spec
        self._session = session
        self._free_too = free_too
        self._turns = Turns(self._free, self._cancel)
        self._pending = PendingFrames(self._turns)
        per_pixel: int = getattr(session, "activation_bytes", spec.activation_bytes)
        budget = activation_budget(getattr(session, "free_memory_bytes", None))
        self._cutter = Cutter(
            spec,
            session,
            max_pixels=budget // per_pixel,
            tile=checked_tile(spec, tile),
            allocate=self.empty,
            say=say,
            proceed=self.check,
        )

    def check(self) -> None:
        """Raise BackendError if it is closed."""
        self._turns.check()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep calls of other threads waiting, and finish what was started.

        Raises BackendError: the engine failed, or it is closed.
        """
        with self._turns.take():
            self._pending.collect_all()
            yield

    def run(self, windows: Frames, out: Frames) -> None:
        """Upscale the frames of one or more windows, N×H×W×3, into `out`, a frame for each window.

        Raises:
            FrameError: the model has a fixed number of frames, and these are others.
            BackendError: the engine failed, or it is closed.
        """
        with self.turn():
            self._cutter.run(windows, out)

    def start(
        self, window: Frames, out: Frames, finish: Callable[[Frames], object] | None
    ) -> Pending:
        """Start on one window, window×H×W×3, and wait later; `finish` is as of `Pending`.

        What a session cannot do while the caller goes on is finished on return.

        Raises BackendError: the engine failed, or it is closed.
        """
        with self._turns.take():
            _, height, width, _ = window.shape
            session = self._cutter.pipelined(height, width)
            if session is not None:
                self._pending.make_room(window.shape)
                alone = not self._pending
                try:
                    return self._pending.start(session, window, out, finish)
                except (BackendError, MemoryError) as error:
                    # The cutter runs it again in smaller tiles. With another frame under way that
                    # is not possible: the session has dropped it, and its caller must learn that.
                    if not alone or not is_out_of_memory(error):
                        raise
            self._pending.collect_all()
            self._cutter.run(window, out[None])
        return Pending(out, finish=finish)

    @property
    def exact_regions(self) -> bool:
        """See `Upscaler.exact_regions`."""
        spec = self.spec
        if not spec.is_local or spec.has_fixed_size or spec.frame_shape[0] not in (None, 1):
            return False
        return bool(getattr(self._session, "exact_regions", False))

    def keep_layers(self, height: int, width: int) -> KeptLayers[Any] | None:
        """See `Upscaler.keep_layers`."""
        session = self._session
        if not self.exact_regions or not isinstance(session, LayeredSession):
            return None
        with self._turns.take():
            return session.keep_layers(height, width) if self._cutter.whole(height, width) else None

    def empty(self, shape: tuple[int, ...]) -> Frames:
        """An uninitialised array for frames, best in memory that the GPU reads and writes."""
        session = self._session
        if isinstance(session, PipelinedSession) and session.pipelined:
            with contextlib.suppress(BackendError):  # of page-locked memory there may be too little
                if self.spec.depth == DEEP_BITS:
                    return session.empty((*shape[:-1], 2 * shape[-1])).view(np.uint16)
                return session.empty(shape)
        return np.empty(shape, dtype_of(self.spec.depth))

    def close(self, wait_seconds: float) -> None:
        """Free everything when the call that runs has ended, which is waited for so long.

        After that, the call frees everything at its end.
        """
        self._turns.close(wait_seconds)

    def _cancel(self) -> None:
        if isinstance(self._session, CancellableSession):
            self._session.cancel()

    def _free(self) -> None:
        self._free_too()
        self._pending.drop()
        self._cutter.clear()
        self._session.close()
