"""What lossy codecs do to a picture, in batches on any device.

Pictures are Y'CbCr, N×1×H×W luma and N×1×(H/2)×(W/2) chroma planes (4:2:0) in 8-bit codes (float,
0–255); plane sides are multiples of 8. Strengths are one value per picture.
"""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

BLOCK = 8

# ITU-T T.81 Annex K, tables K.1 and K.2.
LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8 for _ in range(4)),
)


@functools.cache
def _dct(device: torch.device) -> Tensor:
    """The orthonormal 8×8 DCT-II matrix. Copied once: a copy makes the host wait for the device."""
    k = torch.arange(BLOCK, dtype=torch.float64)
    matrix = torch.cos(math.pi / BLOCK * (k[None, :] + 0.5) * k[:, None]) * math.sqrt(2 / BLOCK)
    matrix[0] *= math.sqrt(0.5)
    return matrix.float().to(device)


@functools.cache
def _table(chroma: bool, device: torch.device) -> Tensor:
    return torch.tensor(CHROMA_TABLE if chroma else LUMA_TABLE, device=device)


def to_coefficients(plane: Tensor) -> Tensor:
    """DCT of each 8×8 block: N×1×H×W to N×(H/8)×(W/8)×8×8."""
    count, _, height, width = plane.shape
    blocks = plane.reshape(count, height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(2, 3)
    dct = _dct(plane.device)
    return dct @ blocks @ dct.T


def to_plane(coefficients: Tensor) -> Tensor:
    """The inverse of `to_coefficients`."""
    count, rows, columns, _, _ = coefficients.shape
    dct = _dct(coefficients.device)
    blocks = (dct.T @ coefficients @ dct).transpose(2, 3)
    return blocks.reshape(count, 1, rows * BLOCK, columns * BLOCK)


def jpeg(plane: Tensor, quality: Tensor, *, chroma: bool) -> Tensor:
    """Quantise as JPEG does at libjpeg's `quality` (N values, 1–100)."""
    table = _table(chroma, plane.device)
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ((table * percent.view(-1, 1, 1) + 50) / 100).floor().clamp(1, 255)
    steps = steps[:, None, None]
    coefficients = to_coefficients(plane - 128)
    return (to_plane((coefficients / steps).round() * steps) + 128).round().clamp(0, 255)


def h264_like(plane: Tensor, qp: Tensor) -> Tensor:
    """Quantise as an H.264 intra frame of quantiser `qp` (N values, 0–51) does, then deblock.

    The transform is 8×8 with one step for all frequencies, 0.625·2^(qp/6), and the encoder's usual
    dead zone of rounding offset ⅓. There is no prediction, so the mean of a block is rounded
    plainly: with prediction it would be a residual around zero.
    """
    step = (0.625 * 2 ** (qp / 6)).view(-1, 1, 1, 1, 1)
    levels = to_coefficients(plane - 128) / step
    coded = levels.sign() * (levels.abs() + 1 / 3).floor()
    coded[..., 0, 0] = levels[..., 0, 0].round()
    plane = deblock(to_plane(coded * step) + 128, qp)
    plane = deblock(plane.transpose(2, 3), qp).transpose(2, 3)
    return plane.round().clamp(0, 255)


def deblock(plane: Tensor, qp: Tensor) -> Tensor:
    """H.264's normal filter over the vertical block edges of a plane N×1×H×W.

    Its tables are taken as the smooth curves they sample: α = 0.8·(2^(qp/6) − 1), β = qp/2 − 7, and
    a change of at most α/8.
    """
    alpha = (0.8 * (2 ** (qp / 6) - 1)).view(-1, 1, 1, 1)
    beta = (qp / 2 - 7).clamp_min(0).view(-1, 1, 1, 1)
    columns = plane.reshape(*plane.shape[:3], plane.shape[3] // BLOCK, BLOCK).clone()
    p1, p0 = columns[..., :-1, 6], columns[..., :-1, 7]
    q0, q1 = columns[..., 1:, 0], columns[..., 1:, 1]
    smooth = ((p0 - q0).abs() < alpha) & ((p1 - p0).abs() < beta) & ((q1 - q0).abs() < beta)
    change = ((4 * (q0 - p0) + p1 - q1) / 8).clamp(-alpha / 8, alpha / 8) * smooth
    columns[..., :-1, 7] = p0 + change
    columns[..., 1:, 0] = q0 - change
    return columns.flatten(3)
