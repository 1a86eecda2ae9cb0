"""Frames in progress, on a session that returns before they are finished."""

from __future__ import annotations

from collections.abc import Callable

from ...common.errors import BackendError
from .protocol import UNDER_WAY, Frames, PipelinedSession
from .turns import Turns

_LOST = "this frame was lost when an earlier one failed, or on closing"


class Pending:
    """A frame that was submitted; `result` waits for it."""

    def __init__(
        self,
        out: Frames,
        queue: PendingFrames | None = None,
        finish: Callable[[Frames], object] | None = None,
    ) -> None:
        """For a frame that will be in `out`; without a `queue` it is there already.

        `finish` is called once with `out` when it is there, before `result` returns it.
        """
        self._out = out
        self._queue = queue
        self._finish = finish

    @property
    def done(self) -> bool:
        """Whether `result` returns at once."""
        return self._queue is None

    def result(self) -> Frames:
        """The upscaled frame, which is the array given to `submit`.

        Raises BackendError: the engine failed, or the upscaler was closed meanwhile.
        """
        queue = self._queue
        if queue is not None:
            queue.wait_for(self)
        finish, self._finish = self._finish, None
        if finish is not None:
            finish(self._out)
        return self._out

    def arrive(self) -> None:
        """Note that the frame is there."""
        self._queue = None


class PendingFrames:
    """Those of one upscaler, oldest first; at most `UNDER_WAY`, all of one size.

    All but `wait_for` is called by who has the turn.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._session: PipelinedSession | None = None
        self._waits: dict[Pending, Callable[[], None]] = {}
        self._shape: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._waits)

    def make_room(self, shape: tuple[int, ...]) -> None:
        """Collect what must be done before a frame of that shape can be submitted."""
        if shape != self._shape:
            self.collect_all()
            self._shape = shape
        elif len(self._waits) == UNDER_WAY:
            self._collect_until(next(iter(self._waits)))

    def start(
        self,
        session: PipelinedSession,
        batch: Frames,
        out: Frames,
        finish: Callable[[Frames], object] | None = None,
    ) -> Pending:
        """Start on `batch`, 1×H×W×3, for which there must be room; `finish` as of `Pending`."""
        try:
            wait = session.start(batch, out[None])
        except BaseException:
            self._lose(session)
            raise
        self._session = session
        pending = Pending(out, self, finish)
        self._waits[pending] = wait
        return pending

    def wait_for(self, wanted: Pending) -> None:
        """Collect the frames up to this one, which another thread may do meanwhile.

        Raises BackendError: it was lost.
        """
        if self._turns.closing:
            raise BackendError(_LOST)
        with self._turns.take():
            if not wanted.done:
                self._collect_until(wanted)

    def _collect_until(self, wanted: Pending) -> None:
        if self._session is None or wanted not in self._waits:
            raise BackendError(_LOST)
        try:
            while not wanted.done:
                # In the order of their start, as the session asks. It is taken off the list only
                # when it is there: a wait that fails loses this frame like those behind it.
                oldest = next(iter(self._waits))
                self._waits[oldest]()
                del self._waits[oldest]
                oldest.arrive()
        except BaseException:
            self._lose(self._session)
            raise

    def collect_all(self) -> None:
        """Collect every frame."""
        if self._waits:
            self._collect_until(next(reversed(self._waits)))

    def _lose(self, session: PipelinedSession) -> None:
        """Forget them all, in the session, too: it is not always what failed."""
        self._waits.clear()
        session.drop()

    def drop(self) -> None:
        """Forget them all: their session is gone."""
        self._waits.clear()
        self._session = None
