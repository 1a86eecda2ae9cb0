"""16-bit frames on sessions that know bytes only: the same memory, seen as twice the width."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .protocol import CancellableSession, Frames, PipelinedSession, Session


class ByteSession:
    """See `protocol.Session`. Runs uint16 frames on a session of a model as of `in_bytes`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.name, self.provider = session.name, session.provider
        self.device = session.device

    @property
    def stage_seconds(self) -> dict[str, float]:
        """Seconds in each stage, as far as the session reports them."""
        return dict(getattr(self._session, "stage_seconds", {}))

    @property
    def build_seconds(self) -> float | None:
        """Seconds that building engines took."""
        return getattr(self._session, "build_seconds", None)

    @property
    def free_memory_bytes(self) -> int | None:
        """Free memory of the device, if the session knows it."""
        return getattr(self._session, "free_memory_bytes", None)

    def run(self, frames: Frames, out: Frames) -> None:
        self._session.run(as_bytes(frames), as_bytes(out))

    def describe(self) -> dict[str, str | int]:
        return self._session.describe()

    def cancel(self) -> None:
        """See `CancellableSession`."""
        if isinstance(self._session, CancellableSession):
            self._session.cancel()

    def close(self) -> None:
        self._session.close()


class PipelinedByteSession(ByteSession):
    """The same for a session that returns before a frame is finished."""

    def __init__(self, session: PipelinedSession) -> None:
        super().__init__(session)
        self._pipelined = session

    @property
    def pipelined(self) -> bool:
        """See `PipelinedSession`."""
        return self._pipelined.pipelined

    def empty(self, shape: tuple[int, ...]) -> Frames:
        """See `PipelinedSession`; uint8, of which a caller takes pairs for 16 bits."""
        return self._pipelined.empty(shape)

    def start(self, frames: Frames, out: Frames) -> Callable[[], None]:
        """See `PipelinedSession`."""
        return self._pipelined.start(as_bytes(frames), as_bytes(out))

    def drop(self) -> None:
        """See `PipelinedSession`."""
        self._pipelined.drop()


def for_deep_frames(session: Session) -> Session:
    """A session for uint16 frames, on one of a model as of `in_bytes`."""
    if isinstance(session, PipelinedSession):
        return PipelinedByteSession(session)
    return ByteSession(session)


def as_bytes(frames: Frames) -> Frames:
    """uint16 N×H×W×3 as uint8 N×H×2W×3, the same memory, the lower byte first."""
    count, height, width, channels = frames.shape
    low_first = frames.view(np.uint8)
    return low_first.reshape(count, height, 2 * width, channels)
