"""Made frames that show what photographs seldom do: flat colours, edges of extremes."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

HEIGHT, WIDTH = 40, 56  # more than most receptive fields, so that the middle does not see the edge
_SQUARES = 64, 96
_NAMES = {
    (0, 0, 1): "red",
    (0, 1, 0): "green",
    (0, 1, 1): "yellow",
    (1, 0, 0): "blue",
    (1, 0, 1): "magenta",
    (1, 1, 0): "cyan",
    (1, 1, 1): "white",
}


def flat(level: int) -> Frames:
    """One grey frame, uint8 1×H×W×3."""
    return np.full((1, HEIGHT, WIDTH, 3), level, np.uint8)


def flat_primaries() -> dict[str, Frames]:
    """Black, and the other corners of the colour cube at 128 and at 255, by name: 1×H×W×3, BGR."""
    frames = {"black": flat(0)}
    for level, corner in itertools.product((128, 255), _NAMES):
        frames[f"{_NAMES[corner]} {level}"] = flat(level) * np.array(corner, np.uint8)
    return frames


def saturated(seed: int = 0) -> Frames:
    """Squares of the corners of the colour cube, drawn at random, 8 pixels wide in the first frame
    and 4 in the second: 2×H×W×3.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for side in (8, 4):
        colours = rng.integers(0, 2, (_SQUARES[0] // side, _SQUARES[1] // side, 3))
        frames.append(np.kron(colours, np.full((side, side, 1), 255)))
    return np.stack(frames).astype(np.uint8)
