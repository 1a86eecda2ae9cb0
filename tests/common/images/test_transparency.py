"""Every kind of transparency, and what lies under it."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.images import Pixels, read_image
from framelift.common.images.content.alpha import bleed
from framelift.runtime import Upscaler
from framelift.runtime.still import upscale_image


def disc(hidden: tuple[int, int, int], radius: int = 20) -> Pixels:
    """RGBA: a red disc with a soft rim, and any colour where nothing is seen."""
    alpha = np.zeros((64, 64), np.uint8)
    cv2.circle(alpha, (32, 32), radius, 255, -1, cv2.LINE_AA)
    colour = np.where(alpha[..., None] > 0, (220, 30, 30), hidden).astype(np.uint8)
    return np.dstack([colour, alpha])


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255), (0, 255, 0), (220, 30, 30)])
def test_hidden_colours_do_not_reach_the_rim(tmp_path: Path, hidden: tuple[int, int, int]) -> None:
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(disc(hidden)).save(source)
    flat = np.full((64, 64, 3), (30, 30, 220), np.uint8)
    with Upscaler.load("realtime-medium-x4-perceptual-int8", "onnx-cpu", threads=1) as upscale:
        upscale_image(source, target, upscale, say=print)
        expected = upscale(flat)[128, 128, ::-1]  # what the model makes of plain red
    with Image.open(target) as image:
        big = np.asarray(image)
    seen = big[..., 3] > 0
    assert np.abs(big[seen][:, :3].astype(int) - expected).max() <= 2


def test_bleeding_leaves_what_is_seen_and_takes_the_nearest_colour() -> None:
    bgr = np.zeros((1, 5, 3), np.uint8)
    bgr[0, :, 0] = 10, 20, 30, 40, 50
    alpha = np.array([[255, 0, 0, 0, 1]], np.uint8)
    assert bleed(bgr, alpha)[0, :, 0].tolist() in ([10, 10, 10, 50, 50], [10, 10, 50, 50, 50])
    for uniform in (np.zeros_like(alpha), np.full_like(alpha, 255)):
        np.testing.assert_array_equal(bleed(bgr, uniform), bgr)


def tiff_rgba(path: Path, pixel: tuple[int, ...], extra: int) -> Path:
    """An RGBA TIFF whose alpha is associated (1) or not (2)."""
    image = Image.fromarray(np.full((16, 16, 4), pixel, np.uint8))
    image.save(path)
    entry = struct.pack("<HHI", 338, 3, 1)
    data = path.read_bytes()
    assert data.count(entry) == 1
    path.write_bytes(data.replace(entry + b"\2", entry + bytes([extra])))
    with Image.open(path) as again:
        assert again.tag_v2[338] == (extra,)  # type: ignore[attr-defined]
    return path


def test_alpha_of_a_tiff_is_straight_or_associated_as_it_says(tmp_path: Path) -> None:
    straight = read_image(tiff_rgba(tmp_path / "s.tif", (200, 100, 50, 128), 2), say=print)
    assert straight.bgr[0, 0].tolist() == [50, 100, 200]
    associated = read_image(tiff_rgba(tmp_path / "a.tif", (100, 50, 25, 128), 1), say=print)
    np.testing.assert_allclose(associated.bgr[0, 0], [50, 100, 200], atol=1)
    for picture in (straight, associated):
        assert picture.alpha is not None
        assert np.unique(picture.alpha).tolist() == [128]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".avif"])
def test_straight_alpha_is_written_and_read_by_pillow(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    Image.fromarray(np.full((16, 16, 4), (200, 100, 50, 128), np.uint8)).save(source)
    upscale_image(source, target, lambda frame: frame.repeat(2, 0).repeat(2, 1), say=print)
    with Image.open(target) as image:
        assert image.mode == "RGBA"
        np.testing.assert_allclose(np.asarray(image)[9, 9], (200, 100, 50, 128), atol=3)


def test_palettes_transparent_colours_and_grey_with_alpha(tmp_path: Path) -> None:
    index = np.zeros((4, 4), np.uint8)
    index[0, 0] = 1
    palette = Image.fromarray(index, "P")
    palette.putpalette([10, 20, 30, 200, 100, 50])
    palette.save(tmp_path / "palette.png", transparency=1)
    read = read_image(tmp_path / "palette.png", say=print)
    assert read.bgr[0, 1].tolist() == [30, 20, 10]
    assert read.alpha is not None
    assert read.alpha[0, :2].tolist() == [0, 255]

    rgb = np.full((4, 4, 3), 7, np.uint8)
    rgb[1, 1] = 1, 2, 3
    Image.fromarray(rgb).save(tmp_path / "key.png", transparency=(1, 2, 3))
    read = read_image(tmp_path / "key.png", say=print)
    assert read.alpha is not None
    assert read.alpha[1, :2].tolist() == [255, 0]

    grey = np.dstack([np.full((4, 4), 90, np.uint8), np.full((4, 4), 60, np.uint8)])
    for name in ("la.png", "la.tif"):
        Image.fromarray(grey, "LA").save(tmp_path / name)
        read = read_image(tmp_path / name, say=print)
        assert read.is_grey
        assert read.alpha is not None
        assert (read.bgr[0, 0].tolist(), int(read.alpha[0, 0])) == ([90] * 3, 60)


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_grey_picture_keeps_one_channel(tmp_path: Path, mode: str) -> None:
    source = tmp_path / "in.png"
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, len(mode)), np.uint8)
    Image.fromarray(noise if mode == "LA" else noise[..., 0]).save(source)
    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=1) as upscale:
        for name, wanted in {"out.png": mode, "out.tif": mode, "out.jpg": "L"}.items():
            if mode == "LA" and name == "out.jpg":
                continue
            upscale_image(source, tmp_path / name, upscale, say=print)
            with Image.open(tmp_path / name) as image:
                assert (image.mode, image.size) == (wanted, (128, 96))
