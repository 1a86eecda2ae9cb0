"""Crops with detail are preferred, everywhere alike and again alike."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.train.data.crops import CropSampler
from framelift.train.data.detail import box_means, detail_of
from framelift.train.data.photos import Photo, read_photo

HEIGHT, WIDTH = 200, 300


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    """Grey, but for noise in the right third."""
    image = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    image[:, 200:] = np.random.default_rng(0).integers(0, 256, (HEIGHT, 100, 3), np.uint8)
    path = tmp_path / "half.png"
    cv2.imwrite(str(path), image)
    return Photo(path, HEIGHT, WIDTH)


def sampler(photo: Photo, size: int, batch: int = 64, seed: int = 0) -> CropSampler:
    return CropSampler((photo,), size, batch, seed, 1 << 30)


def lefts(sampler: CropSampler) -> NDArray[np.int64]:
    return np.array([crop.left for step in range(20) for crop in sampler.plan(step)])


def test_crops_lie_where_the_detail_is(photo: Photo) -> None:
    plain, preferring = sampler(photo, 40), sampler(photo, 40)
    preferring.prefer_detail(4, 1.0, 2)
    assert (lefts(plain) + 40 > 200).mean() == pytest.approx(0.385, abs=0.04)
    assert (lefts(preferring) + 40 > 200).mean() > 0.95
    # What is never drawn is never learnt: the grey part comes, too.
    assert (lefts(preferring) + 40 <= 200).any()


def test_every_crop_is_inside_and_every_corner_is_reached(photo: Photo) -> None:
    preferring = sampler(photo, 40, batch=256)
    preferring.prefer_detail(2, 0.01, 1)  # nearly uniform
    crops = [crop for step in range(40) for crop in preferring.plan(step)]
    tops, lefts = ({getattr(crop, side) for crop in crops} for side in ("top", "left"))
    assert (min(tops), max(tops)) == (0, HEIGHT - 40)
    assert (min(lefts), max(lefts)) == (0, WIDTH - 40)
    assert len(tops) > 150


def test_an_exponent_without_measure_takes_the_places_of_most_detail(photo: Photo) -> None:
    preferring = sampler(photo, 40)
    preferring.prefer_detail(4, 1e4, 1)
    assert (lefts(preferring) >= 200 - 16).all()
    assert preferring.plan(0) != preferring.plan(1)


def test_a_crop_as_large_as_the_photograph(photo: Photo) -> None:
    whole = Photo(photo.path, HEIGHT, WIDTH)
    preferring = sampler(whole, HEIGHT)
    preferring.prefer_detail(4, 1.0, 1)
    assert {crop.top for crop in preferring.plan(0)} == {0}
    assert all(crop.left <= WIDTH - HEIGHT for crop in preferring.plan(0))


def test_a_step_is_the_same_whenever_it_is_drawn(photo: Photo) -> None:
    first, again = (sampler(photo, 40, seed=3) for _ in range(2))
    for each in (first, again):
        each.prefer_detail(4, 1.0, 2)
    first.plan(0)
    assert first.plan(7) == again.plan(7)
    assert first.plan(7) != first.plan(8)


def test_detail_is_what_downscaling_takes(photo: Photo) -> None:
    image = read_photo(photo)
    detail = detail_of(image, 4)
    assert detail.shape == (13, 19)
    assert detail[:, :11].max() == 0
    assert detail[:, 14:].min() > 0.1
    ramp = np.broadcast_to(np.arange(160, dtype=np.uint8)[:, None, None], (160, 32, 3))
    assert detail_of(np.ascontiguousarray(ramp), 4).max() < 0.01


def test_box_means() -> None:
    values = np.random.default_rng(0).random((5, 7))
    means = box_means(values, 3)
    assert means.shape == (3, 5)
    assert means[1, 2] == pytest.approx(values[1:4, 2:5].mean())
    assert box_means(values, 9) == pytest.approx(values.mean())
