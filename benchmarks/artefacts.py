"""Faults of trained networks that PSNR hardly sees: a shift of colour, and patterns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..imaging.colour import bgr_to_y
from ..imaging.quality import ImageU8, Upscale, as_bgr, bicubic, crop_to_multiple, shrink

# Sides of the blocks in which a pattern is looked for, in periods: it may differ between regions.
_REPEATS = 8


@dataclass(frozen=True)
class Artefacts:
    """`colour_shift`: the largest difference, over images and channels, of the mean of the output
    and the mean of the input, in 8-bit codes. `checkerboard`: the share of energy with the period
    of the pixel grid in what is added to bicubic, divided by that share in the original; about 1
    where there is no pattern, and several times that where there is one. `unsteadiness`: how the
    output changes when the picture moves by one of its pixels, root mean square of luma in codes;
    what is bound to the grid of the input stays behind, also a pattern whose sign changes with the
    picture, which the checkerboard does not show. The network sees other samples of the picture,
    too, so that it is never 0: compare it with that of another network of the same scale.
    """

    colour_shift: float
    checkerboard: float
    unsteadiness: float


def find_artefacts(
    originals: Sequence[ImageU8], upscale: Upscale, scale: int, size_multiple: int = 1
) -> Artefacts:
    """Upscale the reduced `originals` (uint8, BGR H×W×3 or grey H×W) and look for all of them.

    The period is scale · `size_multiple` pixels, since a network that reads blocks of pixels can
    leave its pattern at their distance. Raises ValueError when no image holds a block of eight
    periods a side.
    """
    period = scale * size_multiple
    shifts, ours, theirs, moved = [], np.zeros(2), np.zeros(2), []
    for original in originals:
        small = as_bgr(shrink(original, scale))
        output = upscale(small)
        shifts.append(np.abs(output.mean((0, 1)) - small.mean((0, 1))).max())
        plain = bgr_to_y(bicubic(scale)(small))
        reference = as_bgr(crop_to_multiple(original, scale))
        ours += periodic_energy(bgr_to_y(output) - plain, period)
        theirs += periodic_energy(bgr_to_y(reference) - plain, period)
        if min(reference.shape[:2]) >= _REPEATS * period:
            moved += [_moved(output, original, upscale, scale, axis) for axis in (0, 1)]
    if not theirs[1]:
        raise ValueError(f"no image of {_REPEATS * period}×{_REPEATS * period} pixels")
    share = theirs[0] / theirs[1]
    checkerboard = float(ours[0] / max(ours[1], 1e-12) / share)
    return Artefacts(float(max(shifts)), checkerboard, float(np.sqrt(np.mean(moved))))


def _moved(output: ImageU8, original: ImageU8, upscale: Upscale, scale: int, axis: int) -> float:
    """Mean squared difference of luma between `output` and that of the original without its first
    row (`axis` 0) or column (1), where the two show the same.
    """
    cut = np.ascontiguousarray(np.delete(original, 0, axis))
    other = np.moveaxis(bgr_to_y(upscale(as_bgr(shrink(cut, scale)))), axis, 0)
    first = np.moveaxis(bgr_to_y(output), axis, 0)[1:]
    rows, border = min(len(first), len(other)), 2 * scale
    inside = np.s_[border : rows - border, border:-border]
    return float(np.mean(np.square(first[inside].astype(np.float64) - other[inside])))


def periodic_energy(values: NDArray[np.floating], period: int) -> NDArray[np.float64]:
    """Energy with the period, and all energy, of H×W values, summed over blocks without their mean.

    Of noise, 1/n² of the energy is periodic by chance, in blocks of n×n periods.
    """
    side = period * _REPEATS
    rows, columns = (size // side for size in values.shape)
    blocks = values[: rows * side, : columns * side].astype(np.float64)
    blocks = blocks.reshape(rows, _REPEATS, period, columns, _REPEATS, period)
    blocks = blocks - blocks.mean((1, 2, 4, 5), keepdims=True)
    pattern = blocks.mean((1, 4))
    repeated = np.broadcast_to(pattern[:, None, :, :, None, :], blocks.shape)
    return np.array([(repeated**2).sum(), (blocks**2).sum()])
