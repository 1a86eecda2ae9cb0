"""MATLAB-compatible resize: known values, exact agreement with the evaluation sets."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from framelift.imaging.quality import shrink
from framelift.imaging.resize import imresize, resize_weights


def random_image(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("scale", [4, 8])
@pytest.mark.parametrize("name", ["Set5", "Set14", "BSD100"])
def test_equals_the_low_resolution_evaluation_images(shared: Path, name: str, scale: int) -> None:
    folder = shared / "data" / "eval"
    paths = sorted((folder / "hr" / name).glob("*.png"))[:20]
    assert paths
    for path in paths:
        original = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        expected = cv2.imread(str(folder / f"lr_x{scale}" / name / path.name), cv2.IMREAD_UNCHANGED)
        assert original is not None
        np.testing.assert_array_equal(shrink(original.astype(np.uint8), scale), expected)


def test_shrinking_by_two_uses_the_widened_kernel() -> None:
    # Kernel samples at ±0.25, ±0.75, ±1.25, ±1.75 input steps of a kernel twice as wide.
    indices, weights = resize_weights(16, 8, 0.5)
    taps = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    np.testing.assert_array_equal(indices[4], np.arange(5, 13))
    np.testing.assert_allclose(weights[4], taps, atol=1e-15)


def test_enlarging_by_two_uses_the_plain_kernel() -> None:
    indices, weights = resize_weights(8, 16, 2)
    row = {int(i): float(w) for i, w in zip(indices[7], weights[7], strict=True) if w}
    assert row == pytest.approx({2: -9 / 128, 3: 111 / 128, 4: 29 / 128, 5: -3 / 128})


def test_borders_repeat_the_edge_sample() -> None:
    indices, _ = resize_weights(4, 8, 2)
    assert indices.min() == 0
    assert indices.max() == 3
    np.testing.assert_array_equal(imresize(np.eye(4), 2), imresize(np.eye(4)[::-1], 2)[::-1])


@pytest.mark.parametrize("scale", [Fraction(1, 4), Fraction(1, 3), 0.37, 1, 1.5, 4])
def test_constant_images_stay_constant(scale: Fraction | float) -> None:
    image = np.full((29, 31, 3), 173, np.uint8)
    assert np.unique(imresize(image, scale)).tolist() == [173]
    np.testing.assert_allclose(imresize(image / 255, scale), 173 / 255, rtol=1e-14)


def test_a_linear_ramp_stays_linear_away_from_the_borders() -> None:
    ramp = np.tile(np.arange(64.0), (8, 1))
    small = imresize(ramp, 0.25)
    np.testing.assert_allclose(small[0, 3:-3], (np.arange(16) * 4 + 1.5)[3:-3], atol=1e-12)


def test_same_size_is_the_identity() -> None:
    image = random_image(9, 7, 3)
    np.testing.assert_array_equal(imresize(image, 1), image)


@pytest.mark.parametrize(
    ("shape", "scale", "expected"),
    [
        ((30, 17), Fraction(1, 4), (8, 5)),
        ((30, 17, 3), 1 / 3, (10, 6, 3)),
        ((30, 30), 0.1, (3, 3)),
        ((5, 7, 1), 3, (15, 21, 1)),
    ],
)
def test_output_sizes_are_rounded_up(
    shape: tuple[int, ...], scale: float, expected: tuple[int, ...]
) -> None:
    assert imresize(random_image(*shape), scale).shape == expected


def test_uint8_is_clipped_and_floats_keep_their_overshoot_and_dtype() -> None:
    step = np.zeros((4, 16), np.uint8)
    step[:, 8:] = 255
    up = imresize(step, 4)
    assert up.dtype == np.uint8
    assert up.flags.c_contiguous
    as_float = imresize(step.astype(np.float32), 4)
    assert as_float.dtype == np.float32
    assert as_float.min() < 0
    assert as_float.max() > 255
    np.testing.assert_array_equal(up, np.clip(np.floor(as_float + 0.5), 0, 255))


def test_channels_are_resized_alone() -> None:
    image = random_image(21, 18, 3)
    whole = imresize(image, 0.5)
    for channel in range(3):
        np.testing.assert_array_equal(whole[..., channel], imresize(image[..., channel], 0.5))


@pytest.mark.parametrize(
    ("image", "scale", "message"),
    [
        (np.zeros((4, 4), np.int32), 2, "uint8 or float image, got int32"),
        (np.zeros(4), 2, r"got shape \(4,\)"),
        (np.zeros((0, 4)), 2, "non-empty"),
        (np.zeros((4, 4)), 0, "must be positive, got 0"),
    ],
)
def test_bad_arguments_are_named(
    image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], scale: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        imresize(image, scale)
