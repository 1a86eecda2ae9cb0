"""Weights to int8 so that what the convolution computes changes least, not each weight by itself.

Weights are rounded one by one; the error that each leaves is made up for by those that are not
rounded yet, weighted by how inputs vary together on the calibration frames (Frantar et al. 2022,
GPTQ). The bias makes up for the mean of what is left, so only what varies counts. Of several steps
each output gets the one that leaves least. Where one large weight makes the step coarse, as in a
layer that adds its result to the frame, both keep colours from shifting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...runtime.backends.cpu.saturation import pair_shares
from ...runtime.models.graph import attributes

LIMIT = 127
_DAMPING = 0.01
_POSITIONS = 1000  # windows taken from each frame
_STEPS = np.linspace(1, 1.5, 16)  # tried, relative to the finest that reaches the largest weight


class Statistics:
    """Mean and covariance of a convolution's input windows."""

    def __init__(self, size: int) -> None:
        self._moments = np.zeros((size, size))
        self._sum = np.zeros(size)
        self._count = 0
        self._rng = np.random.default_rng(0)

    def add(
        self, conv: onnx.NodeProto, kernel: tuple[int, int], value: NDArray[np.float32]
    ) -> None:
        """Take windows of a value (N×C×H×W) that the convolution reads."""
        found = attributes(conv)
        dilation = found.get("dilations", [1, 1])
        top, left, bottom, right = found.get("pads", [0, 0, 0, 0])
        padded = np.pad(value, ((0, 0), (0, 0), (top, bottom), (left, right)))
        spans = [(side - 1) * step + 1 for side, step in zip(kernel, dilation, strict=True)]
        windows = sliding_window_view(padded, spans, axis=(2, 3))
        windows = windows[..., :: dilation[0], :: dilation[1]]
        count, _, rows, columns = windows.shape[:4]
        total = count * rows * columns
        picked = self._rng.integers(0, total, _POSITIONS)
        n, y, x = np.unravel_index(picked, (count, rows, columns))
        taken = windows[n, :, y, x].reshape(len(picked), -1).astype(np.float64)
        self._moments += taken.T @ taken
        self._sum += taken.sum(axis=0)
        self._count += len(picked)

    @property
    def mean(self) -> NDArray[np.float64]:
        return self._sum / max(1, self._count)

    @property
    def covariance(self) -> NDArray[np.float64]:
        return self._moments / max(1, self._count) - np.outer(self.mean, self.mean)


def quantise_weights(
    weight: NDArray[np.float32], statistics: Statistics
) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float64]]:
    """int8 weights (outputs × inputs × kh × kw), the step of each output, and a bias correction.

    Symmetric per output channel: weight ≈ int8 · step. Where two neighbours would run into the
    16-bit sums of processors without VNNI (see `runtime.backends.cpu.saturation`), the output gets
    a coarser step, so that the file computes the same everywhere.
    """
    flat = weight.reshape(len(weight), -1).astype(np.float64)
    finest = np.abs(flat).max(axis=1) / LIMIT
    finest[finest == 0] = 1.0
    rounding = _Rounding(statistics)
    codes, step = np.zeros_like(flat), finest
    least = np.full(len(flat), np.inf)
    # The finest step suits the largest weight. A coarser one may suit all the others better.
    for factor in _STEPS:
        found, coarser = _round(rounding, flat, finest * factor, weight.shape)
        error = rounding.error(flat - found * coarser[:, None])
        better = error < least
        codes = np.where(better[:, None], found, codes)
        step, least = np.where(better, coarser, step), np.where(better, error, least)
    correction = (flat - codes * step[:, None]) @ statistics.mean
    return codes.reshape(weight.shape).astype(np.int8), step.astype(np.float32), correction


def _round(
    rounding: _Rounding, flat: NDArray[np.float64], step: NDArray[np.float64], shape: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Codes, and the steps: as given, or coarser where sums would not fit into 16 bits."""
    step, codes = step.copy(), np.zeros_like(flat)
    changed = np.arange(len(flat))
    # A coarser step makes smaller codes and so smaller sums. But it also rounds other weights up or
    # down than before, so that the sums are checked again until all of them fit.
    while changed.size:
        step[changed] = step[changed].astype(np.float32)
        codes[changed] = rounding.codes(flat[changed], step[changed])
        shares = pair_shares(codes.reshape(shape))
        changed = np.flatnonzero(shares < 1)
        step[changed] /= shares[changed]
    return codes, step


class _Rounding:
    """Rounds rows of weights that read the same inputs."""

    def __init__(self, statistics: Statistics) -> None:
        self._covariance = statistics.covariance
        # Of frames of one colour the covariance is zero but for rounding.
        rounding = 1e-9 * np.square(statistics.mean).mean() + 1e-12
        damping = _DAMPING * np.diag(self._covariance).mean() + rounding
        damped = self._covariance + np.eye(len(self._covariance)) * damping
        # What matters most is rounded first, and so least.
        self._order = np.argsort(-np.diag(damped))
        inverse = np.linalg.inv(damped[np.ix_(self._order, self._order)])
        # Row k says how the error of weight k is best made up for by the weights behind it.
        self._carry = np.linalg.cholesky(inverse).T

    def error(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variance of what each row of weights, rows × inputs, gives on the windows."""
        variance: NDArray[np.float64] = np.einsum("ri,ri->r", rows @ self._covariance, rows)
        return variance

    def codes(self, rows: NDArray[np.float64], step: NDArray[np.float64]) -> NDArray[np.float64]:
        """Whole numbers up to LIMIT, rows × inputs, times the step of each row near `rows`."""
        left, carry = rows[:, self._order], self._carry
        codes = np.zeros_like(left)
        for k in range(len(self._order)):
            codes[:, k] = np.clip(np.rint(left[:, k] / step), -LIMIT, LIMIT)
            error = (left[:, k] - codes[:, k] * step) / carry[k, k]
            left[:, k:] -= error[:, None] * carry[k, k:]
        back = np.empty_like(codes)
        back[:, self._order] = codes
        return back
