"""Luma of BT.601 limited range."""

from __future__ import annotations

import numpy as np
import pytest

from framelift.imaging.colour import bgr_to_grey, bgr_to_y, rgb_to_y


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 16),
        ((255, 255, 255), 235),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
    ],
)
def test_known_colours(rgb: tuple[int, int, int], expected: float) -> None:
    image = np.full((2, 3, 3), rgb, np.uint8)
    assert rgb_to_y(image).dtype == np.float64
    np.testing.assert_allclose(rgb_to_y(image), np.full((2, 3), expected), atol=0.0015)
    np.testing.assert_array_equal(bgr_to_y(image[..., ::-1]), rgb_to_y(image))


def test_grey_images_are_luma_already() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for convert in (rgb_to_y, bgr_to_y, bgr_to_grey):
        np.testing.assert_array_equal(convert(grey), grey.astype(np.float64))


def test_grey_of_equal_channels_is_their_value() -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_allclose(bgr_to_grey(np.stack([grey] * 3, axis=-1)), grey, atol=1e-12)


def test_batches_keep_their_leading_axes() -> None:
    assert rgb_to_y(np.zeros((5, 4, 6, 3), np.uint8)).shape == (5, 4, 6)


def test_other_channel_counts_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got shape \(4, 4, 4\)"):
        rgb_to_y(np.zeros((4, 4, 4), np.uint8))
