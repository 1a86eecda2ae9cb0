"""PSNR, SSIM and shaving."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import correlate1d

from framelift.imaging.metrics import psnr, shave, ssim


def noise(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.random.default_rng(0).uniform(0, 255, shape)


def test_psnr_of_a_constant_difference() -> None:
    a = np.full((8, 8), 100, np.uint8)
    assert psnr(a, a + 1) == pytest.approx(20 * math.log10(255))
    assert psnr(a / 255, (a + 1) / 255, peak=1) == pytest.approx(20 * math.log10(255))


def test_psnr_does_not_wrap_around_in_uint8() -> None:
    dark, bright = np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8)
    assert psnr(dark, bright) == pytest.approx(0)
    assert psnr(dark, dark) == math.inf


def test_ssim_of_equal_images_is_one() -> None:
    image = noise(20, 23)
    assert ssim(image, image) == pytest.approx(1)


def test_ssim_of_constants_is_the_luminance_term() -> None:
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(np.full((11, 11), 100.0), np.full((11, 11), 150.0)) == pytest.approx(expected)


def test_ssim_agrees_with_the_formula_on_scipy_filters() -> None:
    a, b = noise(24, 31), np.clip(noise(24, 31) + noise(24, 31)[::-1] / 4, 0, 255)
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()

    def window(
        x: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        smooth: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = correlate1d(
            correlate1d(x, kernel, 0), kernel, 1
        )
        return smooth[5:-5, 5:-5]

    ma, mb = window(a), window(b)
    va, vb, cov = window(a * a) - ma**2, window(b * b) - mb**2, window(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    map_ = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim(a, b) == pytest.approx(map_.mean(), abs=1e-12)


def test_shave_cuts_each_side() -> None:
    image = np.arange(9 * 8 * 3).reshape(9, 8, 3)
    np.testing.assert_array_equal(shave(image, 3), image[3:6, 3:5])
    np.testing.assert_array_equal(shave(image, 0), image)
    with pytest.raises(ValueError, match="cannot shave 4 pixels off each side of a 8×9 image"):
        shave(image, 4)


def test_different_or_empty_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"differ in shape: \(4, 5\) and \(5, 4\)"):
        psnr(np.zeros((4, 5)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match="differ in shape"):
        ssim(np.zeros((14, 15)), np.zeros((15, 14)))
    with pytest.raises(ValueError, match="empty"):
        psnr(np.zeros((0, 5)), np.zeros((0, 5)))
    with pytest.raises(ValueError, match="at least 11×11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
    with pytest.raises(ValueError, match="H×W"):
        ssim(np.zeros((20, 20, 3)), np.zeros((20, 20, 3)))
