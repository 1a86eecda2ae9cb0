"""Faults of trained networks that PSNR hardly sees: a shift of colour, patterns, and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from framelift.imaging.colour import bgr_to_y
from framelift.imaging.quality import ImageU8, Upscale, bicubic, trials

from .flatness import deviation_ratio, flat_variances
from .grid import phase_spread
from .specks import excess_detail

# Sides of the blocks in which a pattern is looked for, in periods: it may differ between regions.
_REPEATS = 8
# In which the spectrum is taken.
_WINDOW = 32
_HANN = np.outer(*[np.hanning(_WINDOW + 1)[:_WINDOW]] * 2)
# Codes: windows smoother than noise of this deviation count as having as much detail.
_LEAST_DETAIL = 2.5
# Of the detail: less energy is none, so that the ratio of nothing to nothing is 1.
_FAINT = 1e-3


class Artefacts(msgspec.Struct, frozen=True):
    """All of them. `plan.Limits` has the most of each."""

    colour_shift: float
    """The largest difference, over images and channels, of the mean of the output and the mean of
    the input, in 8-bit codes."""
    checkerboard: float
    """The share of energy with the period of the pixel grid in what is added to bicubic, divided by
    that share in the original: about 1 where there is no pattern, and several times that where
    there is one."""
    mesh: float
    """The energy of the output, divided by that of the original, at the frequency where that is
    most, of those beyond what the input can hold (the median over the images, since stripes can be
    seen wrongly in one). A blurred texture has less than 1, a mesh of any pitch more, also one
    whose sign changes with the picture, which the checkerboard does not show."""
    flat: float
    """The deviation of luma in flat regions of the originals, divided by that of the originals
    (`deviation_ratio`)."""
    grid: float
    """How unevenly detail is spread over the pixels that come from one pixel of the input, divided
    by that of the originals (`phase_spread`): of all of these the one that people see as a grid or
    blocks."""
    specks: float
    """Detail where the originals have none nearby, in percent of their detail (`excess_detail`)."""


class Wording(NamedTuple):
    """How a value of `Artefacts` is written."""

    column: str
    decimals: int
    miss: str


WORDING = {
    "colour_shift": Wording("colour", 2, "colour shifted by {} codes"),
    "checkerboard": Wording("checkerboard", 2, "checkerboard {}"),
    "mesh": Wording("mesh", 2, "mesh {}"),
    "flat": Wording("flat", 2, "{} × the deviation of flat regions"),
    "grid": Wording("grid", 1, "grid {}"),
    "specks": Wording("specks, %", 2, "specks {} %"),
}
"""For each field of `Artefacts`, in the order of the columns."""


def written(artefacts: Artefacts, field: str) -> str:
    """The value of a field with its decimals."""
    return f"{getattr(artefacts, field):.{WORDING[field].decimals}f}"


def too_much(artefacts: Artefacts, limits: Artefacts) -> list[str]:
    """What is above its limit, in words."""
    return [
        wording.miss.format(written(artefacts, field))
        for field, wording in WORDING.items()
        if getattr(artefacts, field) > getattr(limits, field)
    ]


def find_artefacts(
    originals: Sequence[ImageU8], upscale: Upscale, scale: int, size_multiple: int = 1
) -> Artefacts:
    """Upscale the reduced `originals` (uint8, BGR H×W×3 or grey H×W) and look for all of them.

    The period is scale · `size_multiple` pixels, since a network that reads blocks of pixels can
    leave its pattern at their distance. Raises ValueError when no image holds a block of eight
    periods a side, or of 32 pixels, or none has detail.
    """
    period = scale * size_multiple
    shifts, ours, theirs, blocks = [], np.zeros(2), np.zeros(2), 0
    flat, spreads, excess = np.zeros(3), np.zeros(2), np.zeros(2)
    ratios: list[NDArray[np.float64]] = []
    for trial in trials((("", original) for original in originals), upscale, scale):
        output, reference = trial.output, trial.reference
        shifts.append(np.abs(output.mean((0, 1)) - trial.small.mean((0, 1))).max())
        plain = bgr_to_y(bicubic(scale)(trial.small))
        ours += periodic_energy(bgr_to_y(output) - plain, period)
        theirs += periodic_energy(bgr_to_y(reference) - plain, period)
        excess += excess_detail(output, reference)
        flat += flat_variances(bgr_to_y(output), bgr_to_y(reference))
        blocks += min(reference.shape[:2]) // (_REPEATS * period)
        if min(reference.shape[:2]) >= _WINDOW:
            ratios.append(fine_energy_ratio(bgr_to_y(output), bgr_to_y(reference), scale))
            spreads += [phase_spread(bgr_to_y(image), scale) for image in (output, reference)]
    if not blocks or not ratios:
        least = max(_REPEATS * period, _WINDOW)
        raise ValueError(f"no image of {least}×{least} pixels")
    if not theirs[1]:
        raise ValueError("no image with detail")
    share = theirs[0] / theirs[1]
    checkerboard = float(ours[0] / max(ours[1], 1e-12) / share)
    mesh = float(np.median(ratios, 0).max())
    grid = float(spreads[0] / max(spreads[1], 1e-12))
    specks = float(100 * excess[0] / excess[1])
    return Artefacts(float(max(shifts)), checkerboard, mesh, deviation_ratio(flat), grid, specks)


def fine_energy_ratio(
    output: NDArray[np.floating], original: NDArray[np.floating], scale: int
) -> NDArray[np.float64]:
    """The first's energy by the second's, H×W in codes of at least 32×32, one value for each
    frequency beyond the limit of the input (in the order of `rfft2`), over windows that overlap by
    half, each relative to the detail that the original has.
    """
    got, wanted = (_window_energies(values, scale) for values in (output, original))
    detail = wanted.mean(1, keepdims=True) + _LEAST_DETAIL**2 * np.square(_HANN).sum()
    ours, theirs = ((energies / detail).mean(0) + _FAINT for energies in (got, wanted))
    ratio: NDArray[np.float64] = ours / theirs
    return ratio


def _window_energies(values: NDArray[np.floating], scale: int) -> NDArray[np.float64]:
    """Windows × frequencies."""
    every = np.s_[:: _WINDOW // 2, :: _WINDOW // 2]
    windows = sliding_window_view(values.astype(np.float64), _HANN.shape)[every]
    windows = windows.reshape(-1, _WINDOW, _WINDOW)
    spectra = np.fft.rfft2((windows - windows.mean((1, 2), keepdims=True)) * _HANN)
    down, across = np.abs(np.fft.fftfreq(_WINDOW)), np.fft.rfftfreq(_WINDOW)
    # 1.5 bins more: the window widens what lies at the limit itself.
    beyond = np.maximum(down[:, None], across) > 0.5 / scale + 1.5 / _WINDOW
    energies: NDArray[np.float64] = np.square(np.abs(spectra))[:, beyond]
    return energies


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
