"""Random frames, and what a model that repeats pixels makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from framelift.runtime.session.protocol import Session

Frames = NDArray[np.uint8]


def noise(*shape: int, seed: int = 0) -> Frames:
    """Uint8 frames of `shape`, the three channels come on top."""
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def upscaled(frames: Frames) -> Frames:
    """Each pixel four by four times."""
    return frames.repeat(4, -3).repeat(4, -2)


def room(frames: Frames) -> Frames:
    """An array for what becomes of `frames` at ×4."""
    height, width, _ = frames.shape[-3:]
    return np.empty((*frames.shape[:-3], 4 * height, 4 * width, 3), np.uint8)


def run(session: Session, frames: Frames) -> Frames:
    """N×H×W×3 frames through a session of a ×4 model."""
    out = room(frames)
    session.run(frames, out)
    return out
