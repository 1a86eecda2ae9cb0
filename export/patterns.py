"""Made frames that show what photographs seldom do: flat colours, edges of extremes."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.uint8]

HEIGHT, WIDTH = 40, 56  # more than most receptive fields, so that the middle does not see the edge
_CELL_PX = 8


def flat(level: int) -> Frames:
    """One grey frame, uint8 1×H×W×3."""
    return np.full((1, HEIGHT, WIDTH, 3), level, np.uint8)


def flat_primaries() -> Frames:
    """The eight corners of the colour cube at 128 and at 255, black once: 15×H×W×3, BGR."""
    corners = list(itertools.product((0, 1), repeat=3))
    colours = [(0, 0, 0), *(np.multiply(c, level) for level in (128, 255) for c in corners[1:])]
    full = np.ones((1, HEIGHT, WIDTH, 1), np.uint8)
    return np.concatenate([full * np.array(colour, np.uint8) for colour in colours])


def saturated() -> Frames:
    """Squares of the corners of the colour cube, drawn at random: 1×H×W×3."""
    cells = np.random.default_rng(0).integers(0, 2, (HEIGHT // _CELL_PX, WIDTH // _CELL_PX, 3))
    return np.kron(cells, np.full((_CELL_PX, _CELL_PX, 1), 255))[None].astype(np.uint8)
