"""The standard protocol: bicubic's published figures, crops, greys."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from framelift.imaging.quality import (
    ImageQuality,
    ImageU8,
    SetQuality,
    bicubic,
    compare,
    crop_to_multiple,
    evaluate,
    shrink,
)


def originals(shared: Path, name: str) -> list[tuple[str, ImageU8]]:
    paths = sorted((shared / "data" / "eval" / "hr" / name).glob("*.png"))
    return [(path.stem, read(path)) for path in paths]


def read(path: Path) -> ImageU8:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    assert image.dtype == np.uint8
    return image.astype(np.uint8, copy=False)


def photo(*shape: int) -> ImageU8:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("name", "scale", "psnr_db", "ssim"),
    [
        ("Set5", 4, 28.42, 0.810),
        ("Set14", 4, 26.00, 0.702),
        ("Set5", 8, 24.39, None),
        ("Set14", 8, 23.09, None),
        ("BSD100", 4, 25.96, 0.667),
        pytest.param("BSD100", 8, 23.67, None, marks=pytest.mark.slow),
    ],
)
def test_bicubic_reproduces_the_published_figures(
    shared: Path, name: str, scale: int, psnr_db: float, ssim: float | None
) -> None:
    quality = evaluate(originals(shared, name), bicubic(scale), scale)
    assert quality.psnr_db == pytest.approx(psnr_db, abs=0.01)
    if ssim is not None:
        assert quality.ssim == pytest.approx(ssim, abs=0.0006)


def test_a_grey_original_is_luma_as_it_is() -> None:
    grey = photo(48, 48)
    off_by_one = np.clip(grey.astype(np.int16) + 1, 1, 255).astype(np.uint8)
    frame = np.stack([off_by_one] * 3, axis=-1)
    error = (off_by_one[4:-4, 4:-4] - grey[4:-4, 4:-4].astype(float)) ** 2
    expected = 10 * math.log10(255**2 / error.mean())
    assert compare("grey", frame, grey, 4).psnr_db == pytest.approx(expected)


def test_the_upscaler_gets_a_three_channel_frame_even_for_grey() -> None:
    shapes = []

    def upscale(image: ImageU8) -> ImageU8:
        shapes.append(image.shape)
        return bicubic(4)(image)

    quality = evaluate([("grey", photo(50, 49)), ("colour", photo(50, 49, 3))], upscale, 4)
    assert shapes == [(12, 12, 3), (12, 12, 3)]
    assert [image.name for image in quality.images] == ["grey", "colour"]


def test_a_perfect_result_scores_infinity_and_one() -> None:
    original = photo(41, 42, 3)
    scores = compare("same", original[:40, :40], original, 4)
    assert scores.psnr_db == math.inf
    assert scores.ssim == pytest.approx(1)


def test_the_set_score_is_the_mean_over_images() -> None:
    quality = SetQuality(4, (ImageQuality("a", 30, 0.8), ImageQuality("b", 33, 0.9)))
    assert quality.psnr_db == 31.5
    assert quality.ssim == pytest.approx(0.85)


def test_crop_and_shrink_drop_what_does_not_fill_the_scale() -> None:
    image = photo(43, 50, 3)
    assert crop_to_multiple(image, 8).shape == (40, 48, 3)
    np.testing.assert_array_equal(shrink(image, 8), shrink(image[:40, :48], 8))
    with pytest.raises(ValueError, match="smaller than 8×8"):
        crop_to_multiple(photo(7, 50), 8)


def test_wrong_results_and_empty_sets_are_refused() -> None:
    with pytest.raises(ValueError, match=r"house: the upscaled image has shape \(10, 10, 3\)"):
        evaluate([("house", photo(40, 40, 3))], lambda image: image, 4)
    with pytest.raises(ValueError, match="no images"):
        evaluate([], bicubic(4), 4)
