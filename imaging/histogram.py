"""Histogram matching, the post-processing of Johnson et al. 2016, section 4.2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def match_histogram(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`image` with its values moved so that each channel is distributed as in `reference`.

    Both uint8, H×W or H×W×C with the same C; their sizes may differ. The order of values within a
    channel stays. Raises ValueError when the channels do not agree.
    """
    if image.shape[2:] != reference.shape[2:] or image.ndim != reference.ndim:
        raise ValueError(f"channels differ: {image.shape} and {reference.shape}")
    if image.ndim == 2:
        return _table(image, reference)[image]
    channels = range(image.shape[2])
    tables = (_table(image[..., c], reference[..., c]) for c in channels)
    return np.stack([table[image[..., c]] for c, table in zip(channels, tables, strict=True)], -1)


def _table(image: NDArray[np.uint8], reference: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each of the 256 values the reference's value of the same rank."""
    values = np.unique(reference)
    wanted = np.interp(_ranks(image), _ranks(reference)[values], values)
    return np.rint(wanted).astype(np.uint8)


def _ranks(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The share of pixels below each value, counting half of those that have it."""
    share = np.bincount(image.ravel(), minlength=256) / image.size
    ranks: NDArray[np.float64] = np.cumsum(share) - share / 2
    return ranks
