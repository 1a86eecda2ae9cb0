"""The grid that a network leaves: detail that depends on where in a pixel of the input it lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# A side of the windows, in pixels of the input. A small last window is left out.
_CELLS = 15
# Codes², added to the squared differences: differences under a code are not seen.
_UNSEEN = 1.0


def phase_spread(luma: NDArray[np.floating], scale: int) -> float:
    """How unevenly the detail of H×W luma in codes is spread over the scale×scale places (phases)
    of an input's pixel: 0 if evenly; photographs have about 0.01.

    It is the variance, over the phases of a window of 15×15 pixels of the input, of the mean of
    log(d² + 1), averaged over the windows and the first and second differences d along both axes.
    `PhaseLoss` of `framelift.train` is the same, of a batch. Raises ValueError for images that are
    not larger than two pixels of the input.
    """
    if min(luma.shape) < scale + 2:
        raise ValueError(f"an image of shape {luma.shape} holds no pixel of an input ×{scale}")
    values = luma.astype(np.float64)
    return float(
        np.mean([_spread(np.diff(values, n, axis), scale) for axis in (0, 1) for n in (1, 2)])
    )


def _spread(differences: NDArray[np.float64], scale: int) -> float:
    detail = np.log(np.square(differences) + _UNSEEN)
    cells = [side // scale for side in detail.shape]
    sides = [min(_CELLS, count) for count in cells]
    rows, columns = (count // side for count, side in zip(cells, sides, strict=True))
    whole = detail[: rows * sides[0] * scale, : columns * sides[1] * scale]
    split = whole.reshape(rows, sides[0], scale, columns, sides[1], scale)
    means = split.mean((1, 4))
    return float(means.var((1, 3)).mean())
