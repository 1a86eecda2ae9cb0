"""What competes in a latency run: framelift's backends, and other ways to run the same network."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from ...runtime import Upscaler
from ..shared.frames import Frames, input_frames
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


def arrays_for(contender: Contender, case: LatencySettings) -> tuple[list[Frames], Frames]:
    """Inputs in turn and an output, where the contender reads and writes fastest, as a program that
    cares for time and `framelift upscale` have them.
    """
    frames = input_frames(case)
    *batch, height, width, channels = frames[0].shape
    shape = (*batch, height * contender.scale, width * contender.scale, channels)
    if not isinstance(contender, Upscaler):
        return frames, np.empty(shape, np.uint8)
    own = [contender.empty(frame.shape) for frame in frames]
    for target, frame in zip(own, frames, strict=True):
        np.copyto(target, frame if contender.depth == 8 else frame.astype(np.uint16) * 257)
    return own, contender.empty(shape)
