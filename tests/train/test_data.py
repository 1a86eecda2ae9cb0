"""Training data: found and checked, cropped reproducibly, degraded as the protocol says."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from framelift.imaging.errors import InputError
from framelift.imaging.resize import imresize
from framelift.train.data.crops import CropSampler, PhotoCache, prefetch
from framelift.train.data.degradation import MARGIN, degrade, gaussian_blur, target_of
from framelift.train.data.photos import Photo, find_photos, read_rgb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three usable photographs (one in a sub-folder), one too small, two broken."""
    rng = np.random.default_rng(0)
    (tmp_path / "deep").mkdir()
    shapes = {"a.png": (40, 60, 3), "b.jpg": (50, 40, 3), "deep/c.png": (64, 64), "d.png": (9, 80)}
    for name, shape in shapes.items():
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 256, shape, np.uint8))
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "notes.txt").write_text("ignored")
    return tmp_path


def test_photographs_are_found_and_the_rest_named(folder: Path) -> None:
    found = find_photos([folder], smallest=32)
    assert [photo.path.name for photo in found.photos] == ["a.png", "b.jpg", "c.png"]
    assert [(photo.height, photo.width) for photo in found.photos] == [(40, 60), (50, 40), (64, 64)]
    reasons = "\n".join(found.skipped)
    assert "empty.png: not a readable image" in reasons
    assert "text.jpg: not a readable image" in reasons
    assert "d.png: 80×9, under 32 px" in reasons


def test_fingerprint_depends_on_contents_only(folder: Path) -> None:
    before = find_photos([folder], 32).fingerprint
    (folder / "a.png").rename(folder / "zz.png")
    assert find_photos([folder], 32).fingerprint == before
    (folder / "zz.png").unlink()
    assert find_photos([folder], 32).fingerprint != before


def test_missing_or_useless_folder_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        find_photos([folder / "nowhere"], 32)
    with pytest.raises(InputError, match=r"no usable photograph of at least 500 px .*\(6 file"):
        find_photos([folder], 500)


def test_grey_and_sixteen_bit_files_become_rgb(tmp_path: Path) -> None:
    deep = np.full((8, 8, 3), (10 << 8, 20 << 8, 30 << 8), np.uint16)  # BGR
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 77, np.uint8))
    rgb, grey = read_rgb(tmp_path / "deep.png"), read_rgb(tmp_path / "grey.png")
    assert rgb is not None
    assert rgb.dtype == np.uint8
    assert rgb[0, 0].tolist() == [30, 20, 10]
    assert grey is not None
    assert grey[0, 0].tolist() == [77, 77, 77]


def test_batches_depend_on_seed_and_step_alone(folder: Path) -> None:
    photos = find_photos([folder], 32).photos
    sampler = CropSampler(photos, 32, 5, seed=3, cache_bytes=1 << 20)
    again = CropSampler(photos, 32, 5, seed=3, cache_bytes=1)
    assert sampler.batch(7).shape == (5, 32, 32, 3)
    np.testing.assert_array_equal(sampler.batch(7), again.batch(7))
    assert (sampler.batch(7) != sampler.batch(8)).any()
    other = CropSampler(photos, 32, 5, seed=4, cache_bytes=1 << 20)
    assert (sampler.batch(7) != other.batch(7)).any()
    ahead = list(prefetch(sampler, 5, 11))
    assert len(ahead) == 6
    np.testing.assert_array_equal(ahead[2], sampler.batch(7))
    assert {Path(file).name for file in sampler.files(7)} <= {"a.png", "b.jpg", "c.png"}


def test_cache_stays_within_its_limit(folder: Path) -> None:
    photos = find_photos([folder], 32).photos
    cache = PhotoCache(limit_bytes=12_500)  # each picture alone nearly fills it
    for photo in photos * 2:
        np.testing.assert_array_equal(cache.get(photo), read_rgb(photo.path))
    assert cache._bytes <= 12_500


def test_a_photograph_that_vanishes_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png: changed or removed"):
        PhotoCache(1000).get(Photo(tmp_path / "gone.png", 40, 40))


@pytest.mark.parametrize("scale", [2, 4])
def test_bicubic_degradation_is_matlabs(scale: int) -> None:
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.integers(0, 256, (64, 80, 3), np.uint8), (0, 0), 1.0)
    wanted = imresize(image.astype(np.uint8), Fraction(1, scale))[MARGIN:-MARGIN, MARGIN:-MARGIN]
    hr = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
    got = (degrade(hr, scale, "bicubic") * 255).round()[0].permute(1, 2, 0).numpy()
    difference = np.abs(got - wanted)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001  # ties of rounding


@pytest.mark.parametrize("kind", ["bicubic", "johnson"])
def test_degraded_and_target_show_the_same_place(kind: str) -> None:
    y, x = np.mgrid[0:96, 0:96].astype(np.float32) / 96
    hr = torch.from_numpy(np.stack((x, y, 0.5 * (x + y))))[None]
    lr, target = degrade(hr, 4, kind), target_of(hr, 4)  # type: ignore[arg-type]
    assert target.shape[2] == 4 * lr.shape[2]
    means = torch.nn.functional.avg_pool2d(target, 4)
    torch.testing.assert_close(lr, means, atol=1.5 / 255, rtol=0)


def test_gaussian_blur_has_the_given_sigma() -> None:
    impulse = torch.zeros(1, 1, 31, 31)
    impulse[0, 0, 15, 15] = 1
    blurred = gaussian_blur(impulse, sigma=1.0)[0, 0]
    offsets = torch.arange(31) - 15.0
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    variance = (blurred.sum(0) * offsets.square()).sum()
    assert variance == pytest.approx(1.0, abs=5e-3)
