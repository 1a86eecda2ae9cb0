"""Histogram matching."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from framelift.imaging.histogram import match_histogram


def picture(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 1.5), np.uint8)


def test_a_picture_matches_itself() -> None:
    image = picture(0, (40, 50, 3))
    np.testing.assert_array_equal(match_histogram(image, image), image)


def test_a_shift_of_brightness_and_contrast_is_undone() -> None:
    image = picture(0, (64, 64, 3))
    dull = (image * 0.7 + 40).astype(np.uint8)
    restored = match_histogram(dull, image[::2, ::2])  # the reference is of another size
    assert np.abs(restored.astype(int) - image).mean() < 1.5
    assert np.abs(dull.astype(int) - image).mean() > 3


def test_channels_are_matched_on_their_own() -> None:
    image = picture(0, (32, 32, 3))
    tinted = image.copy()
    tinted[..., 0] = tinted[..., 0] // 2
    restored = match_histogram(tinted, image)
    np.testing.assert_array_equal(restored[..., 1:], image[..., 1:])
    assert np.abs(restored[..., 0].astype(int) - image[..., 0]).max() <= 2


def test_grey_pictures_and_disagreeing_channels() -> None:
    grey = picture(1, (20, 20))
    assert match_histogram(grey, np.full((4, 4), 9, np.uint8)).max() == 9
    with pytest.raises(ValueError, match="channels differ"):
        match_histogram(grey, picture(1, (20, 20, 3)))
