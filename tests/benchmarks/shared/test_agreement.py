"""How far images are apart, of one depth or two."""

from __future__ import annotations

import numpy as np

from framelift.benchmarks.shared.frames import agreement


def test_images_of_two_depths_are_compared_as_8_bits() -> None:
    plain = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    deep = plain.astype(np.uint16) * 257
    assert agreement(plain, deep).max_abs == 0
    assert agreement(deep, plain).share_within_1 == 1
    other = deep.copy()
    other[0, 0, 0] ^= 0xFF00
    found = agreement(plain, other)
    assert found.max_abs > 0
    assert found.share_within_1 > 0.99


def test_images_of_16_bits_are_compared_as_they_are() -> None:
    deep = np.full((4, 4, 3), 1000, np.uint16)
    found = agreement(deep, deep + 300)
    assert (found.max_abs, found.share_within_1) == (300, 0)
    assert found.psnr_db is not None
    assert 46 < found.psnr_db < 47
