"""How quiet a network leaves flat regions: skies, walls, and what is out of focus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_SIDE = 16
# Codes: blocks whose luma deviates by less in the original are flat.
_FLAT = 2.5


def flat_variances(
    output: NDArray[np.floating], original: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Variance of the output, of the original, and count, summed over the blocks of 16×16 pixels
    in which the original, H×W luma in codes, has a deviation under 2.5.
    """
    got, wanted = (_variances(luma) for luma in (output, original))
    flat = wanted < _FLAT**2
    return np.array([got[flat].sum(), wanted[flat].sum(), flat.sum()])


def deviation_ratio(sums: NDArray[np.float64]) -> float:
    """The deviation of the output by that of the original, from sums of `flat_variances`; 1 if
    there is no flat block.

    The deviation of rounding to codes is added to both, so that a clean original does not
    make noise of a fraction of a code infinite.
    """
    ours, theirs, count = sums
    rounding = count / 12
    return float(np.sqrt((ours + rounding) / (theirs + rounding))) if count else 1.0


def _variances(luma: NDArray[np.floating]) -> NDArray[np.float64]:
    rows, columns = (size // _SIDE for size in luma.shape)
    blocks = luma[: rows * _SIDE, : columns * _SIDE].astype(np.float64)
    variances: NDArray[np.float64] = blocks.reshape(rows, _SIDE, columns, _SIDE).var((1, 3))
    return variances
