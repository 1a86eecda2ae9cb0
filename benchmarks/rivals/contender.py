"""What competes in a latency run: framelift's backends, and other ways to run the same network."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..shared.frames import Frames
from ..shared.settings import LatencySettings
from . import is_rival, open_rival


class Contender(Protocol):
    """Upscales uint8 BGR frames; `Upscaler` is one. Used from one thread at a time."""

    @property
    def scale(self) -> int:
        """How many times larger the output is, along each side."""
        ...

    def __call__(self, frame: Frames, out: Frames | None = None) -> Frames:
        """uint8 [N×]H×W×3 to [N×]sH×sW×3; the result may be `out` or an array of its own."""
        ...

    def describe(self) -> dict[str, str | int]:
        """What really runs, with at least `backend`, `engine`, `device` and `precision`."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def open_contender(model: str | Path, case: LatencySettings) -> Contender:
    """Load `model` on the case's backend, or as that rival runs it.

    Raises ModelError, BackendError, MissingDependencyError, ConfigError.
    """
    if is_rival(case.backend):
        return open_rival(case.backend, model, case)
    return case.load(model)
