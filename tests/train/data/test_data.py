"""Training data: found and checked, cropped reproducibly, degraded as the protocol says."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from framelift.common.errors import ConfigError, InputError
from framelift.common.images import Picture, encode_image
from framelift.imaging.resize import imresize
from framelift.train.data.crops import CropSampler, HostCrops, PhotoCache, prefetch
from framelift.train.data.degradation import MARGIN, degrade, gaussian_blur, target_of
from framelift.train.data.on_device import DeviceCrops
from framelift.train.data.pairs import seeds_of
from framelift.train.data.photos import Photo, find_photos, read_photo, usable_rgb
from framelift.train.validation.scores import load_originals

from ...support.faulty_images import odd_profile, restart_marks


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


def test_hidden_colours_are_not_trained_on(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 4), np.uint8)
    whole = noise.copy()
    whole[..., 3] = 255
    for suffix in (".png", ".webp", ".tif"):
        cv2.imwrite(str(tmp_path / f"transparent{suffix}"), noise)
        cv2.imwrite(str(tmp_path / f"opaque{suffix}"), whole)
    palette = Image.fromarray(noise[..., :3]).quantize(16)
    palette.save(tmp_path / "palette.png", transparency=3)
    palette.save(tmp_path / "opaque-palette.png")
    Image.fromarray(noise[..., :2].copy(), "LA").save(tmp_path / "grey.png")
    found = find_photos([tmp_path], 16)
    names = sorted(photo.path.name for photo in found.photos)
    assert names == ["opaque-palette.png", "opaque.png", "opaque.tif", "opaque.webp"]
    assert len(found.skipped) == 5
    assert all("has transparent pixels, whose hidden colours" in line for line in found.skipped)


def test_images_of_formats_that_are_not_read_are_said(folder: Path) -> None:
    for name in ("a.gif", "b.PSD", "c.heic"):
        (folder / name).write_bytes(b"what it holds does not count")
    skipped = "\n".join(find_photos([folder], 32).skipped)
    assert "a.gif: .gif images cannot be read; convert it to PNG" in skipped
    assert "b.PSD: .PSD images cannot be read" in skipped


def test_all_formats_of_images_are_read(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for name in ("a.png", "b.avif", "c.ppm", "d.jfif", "e.tif"):
        (tmp_path / name).write_bytes(encode_image(Path(name), Picture(picture), say=print))
    assert len(find_photos([tmp_path], 32).photos) == 5


def test_fingerprint_depends_on_contents_only(folder: Path) -> None:
    found = find_photos([folder], 32)
    before = found.fingerprint
    (folder / "a.png").rename(folder / "zz.png")
    assert find_photos([folder], 32).fingerprint == before
    assert find_photos([folder], 32).order != found.order
    (folder / "zz.png").unlink()
    assert find_photos([folder], 32).fingerprint != before


def test_missing_or_useless_folder_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder"):
        find_photos([folder / "nowhere"], 32)
    with pytest.raises(InputError, match=r"a\.png: not a folder"):
        find_photos([folder / "a.png"], 32)
    with pytest.raises(
        InputError,
        match=r"no usable photograph of at least 500 px .*: 6 left out, the first: .*a\.png: "
        "60×40, under 500 px",
    ):
        find_photos([folder], 500)
    (folder / "none").mkdir()
    with pytest.raises(InputError, match="none: no image files"):
        find_photos([folder / "none"], 32)


def test_a_photograph_counts_once(folder: Path) -> None:
    found = find_photos([folder, folder / "deep", folder], smallest=32)
    assert [photo.path.name for photo in found.photos] == ["a.png", "b.jpg", "c.png"]
    again = [line for line in found.skipped if line.endswith(": is there already")]
    assert len(again) == 7  # all six, and the one in `deep` twice


def test_a_link_that_leads_nowhere_is_left_out(folder: Path) -> None:
    (folder / "loop.png").symlink_to("loop.png")
    found = find_photos([folder], smallest=32)
    assert len(found.photos) == 3
    assert f"{folder / 'loop.png'}: not a readable image" in found.skipped


def test_a_named_pipe_and_a_folder_are_left_out(folder: Path) -> None:
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    found = find_photos([folder], smallest=32)
    assert len(found.photos) == 3
    assert f"{folder / 'pipe.png'}: not a file" in found.skipped
    assert f"{folder / 'folder.png'}: not a file" in found.skipped


def test_opencv_is_quiet_about_what_it_cannot_read(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "float.tif"), np.zeros((64, 64), np.float32))
    with pytest.raises(InputError, match=r"float\.tif: not a readable image"):
        find_photos([tmp_path], 32)
    assert capfd.readouterr().err == ""


def test_photographs_are_read_without_a_word_of_their_libraries(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(odd_profile())
    (tmp_path / "b.jpg").write_bytes(restart_marks())
    found = find_photos([tmp_path], 32)
    assert [photo.path.name for photo in found.photos] == ["a.png"]
    assert found.skipped == (f"{tmp_path / 'b.jpg'}: is damaged inside",)
    read_photo(found.photos[0])
    assert load_originals(tmp_path, 2)[0][0] == "a"
    assert capfd.readouterr() == ("", "")


def test_grey_and_sixteen_bit_files_become_rgb(tmp_path: Path) -> None:
    deep = np.full((8, 8, 3), (10 << 8, 20 << 8, 30 << 8), np.uint16)  # BGR
    cv2.imwrite(str(tmp_path / "deep.png"), deep)
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((8, 8), 77, np.uint8))
    rgb, grey = usable_rgb(tmp_path / "deep.png"), usable_rgb(tmp_path / "grey.png")
    assert not isinstance(rgb, str)
    assert rgb.dtype == np.uint8
    assert rgb[0, 0].tolist() == [30, 20, 10]
    assert not isinstance(grey, str)
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
    ahead = list(prefetch(sampler.batch, 5, 11))
    assert len(ahead) == 6
    np.testing.assert_array_equal(ahead[2], sampler.batch(7))
    assert {Path(file).name for file in sampler.files(7)} <= {"a.png", "b.jpg", "c.png"}


def test_parts_of_a_batch_together_are_the_batch(folder: Path) -> None:
    photos = find_photos([folder], 32).photos
    whole = CropSampler(photos, 32, 4, seed=3, cache_bytes=1 << 20)
    parts = [CropSampler(photos, 32, 4, 3, 1 << 20, range(k, k + 2)) for k in (0, 2)]
    joined = np.concatenate([part.batch(7) for part in parts])
    np.testing.assert_array_equal(joined, whole.batch(7))
    seeds = [seed for start in (0, 2) for seed in seeds_of(3, 7, range(start, start + 2))]
    assert seeds == seeds_of(3, 7, range(4))
    assert [file for part in parts for file in part.files(7)] == whole.files(7)


def test_crops_cut_on_the_device_are_those_of_the_host(folder: Path) -> None:
    photos = find_photos([folder], 32).photos
    sampler = CropSampler(photos, 32, 24, seed=3, cache_bytes=1 << 20, part=range(4, 24))
    turned = {(crop.turns, crop.flip) for step in range(3) for crop in sampler.plan(step)}
    assert len(turned) == 8  # every turn and flip is compared
    assert len({crop.photo for crop in sampler.plan(0)}) == 3
    cpu = torch.device("cpu")
    host, device = HostCrops(sampler, cpu), DeviceCrops(sampler, cpu, workers=2)
    for step in range(3):
        wanted, got = (crops.load(crops.draw(step)) for crops in (host, device))
        assert got.dtype == torch.uint8
        assert torch.equal(wanted, got)


def test_photographs_that_do_not_fit_on_the_device_are_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = find_photos([folder], 32).photos
    sampler = CropSampler(photos, 32, 1, seed=0, cache_bytes=1)
    monkeypatch.setattr("framelift.train.data.on_device.free_bytes", lambda _: 25_000)
    with pytest.raises(
        ConfigError,
        match=r"^data\.on_device: 3 photographs take 0\.0 GiB .*memory of cpu, which has 0\.0 GiB "
        r"free; set data\.on_device=false or use fewer$",
    ):
        DeviceCrops(sampler, torch.device("cpu"), workers=1)
    monkeypatch.undo()
    photos[0].path.unlink()
    with pytest.raises(InputError, match=r"a\.png: changed or removed during training"):
        DeviceCrops(sampler, torch.device("cpu"), workers=1)


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:, 16:] = 255
    _, coded = cv2.imencode(".jpg", upright)
    # An APP1 segment of one big-endian TIFF entry: orientation (0x0112), a short, 6 = turned 90°.
    tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    data = coded.tobytes()
    (tmp_path / "turned.jpg").write_bytes(data[:2] + segment + data[2:])
    turned = usable_rgb(tmp_path / "turned.jpg")
    assert not isinstance(turned, str)
    assert turned.shape == (32, 16, 3)
    assert turned[4, 8, 0] < 50
    assert turned[28, 8, 0] > 200
    assert find_photos([tmp_path], 16).photos[0].height == 32


def test_cache_stays_within_its_limit(folder: Path) -> None:
    photos = find_photos([folder], 32).photos
    cache = PhotoCache(limit_bytes=12_500)  # each picture alone nearly fills it
    for photo in photos * 2:
        np.testing.assert_array_equal(cache.get(photo), usable_rgb(photo.path))
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


@pytest.mark.parametrize("scale", [4, 8])
def test_bicubic_degradation_gives_the_benchmarks_images(shared: Path, scale: int) -> None:
    """Away from the borders, where MATLAB mirrors and PyTorch does not."""
    name = "img_007.png"
    evaluation = shared / "data" / "eval"
    original = usable_rgb(evaluation / "hr" / "BSD100" / name)
    wanted = usable_rgb(evaluation / f"lr_x{scale}" / "BSD100" / name)
    assert not isinstance(original, str)
    assert not isinstance(wanted, str)
    height, width = (side * scale for side in wanted.shape[:2])
    hr = torch.from_numpy(original[:height, :width].copy()).permute(2, 0, 1)[None].float() / 255
    got = (degrade(hr, scale, "bicubic") * 255).round()[0].permute(1, 2, 0).numpy()
    difference = np.abs(got - wanted[MARGIN:-MARGIN, MARGIN:-MARGIN])
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


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
