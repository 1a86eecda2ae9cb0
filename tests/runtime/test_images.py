"""Images: read upright and complete, written with what they had."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framelift.imaging.errors import InputError, OutputError
from framelift.runtime.images import IMAGE_SUFFIXES, Pixels, read_image, upscale_image


class Nearest:
    scale = 2

    def __call__(self, frame: Pixels) -> Pixels:
        assert frame.dtype == np.uint8
        assert frame.flags.c_contiguous
        return np.repeat(np.repeat(frame, 2, 0), 2, 1)


def picture(height: int = 20, width: int = 30, channels: int = 3) -> Pixels:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (height // 10, width // 10, channels), np.uint8)
    return np.repeat(np.repeat(small, 10, 0), 10, 1)


def save(path: Path, pixels: np.ndarray[Any, Any]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def exif(orientation: int) -> bytes:
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def run(source: Path, target: Path) -> list[str]:
    notes: list[str] = []
    upscale_image(source, target, Nearest(), say=notes.append)
    return notes


@pytest.mark.parametrize("suffix", IMAGE_SUFFIXES)
def test_every_suffix_is_read_and_written(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / f"in{suffix}", picture())
    target = tmp_path / f"out{suffix.upper()}"
    assert run(source, target) == []
    result = cv2.imread(str(target))
    assert result is not None
    assert result.shape == (40, 60, 3)
    expected = Nearest()(read_image(source, say=print).bgr_u8)
    if suffix in (".jpg", ".jpeg", ".webp"):
        assert np.abs(result.astype(int) - expected).mean() < 8
    else:
        np.testing.assert_array_equal(result, expected)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([source.name, target.name])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_to_colour_and_alpha(tmp_path: Path, orientation: int) -> None:
    pixels = picture(channels=4)
    pixels[..., 3] = np.where(pixels[..., 0] > 100, 255, 40)
    kinds, chunks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif(orientation), np.uint8)]
    done, data = cv2.imencodeWithMetadata(".png", pixels, kinds, chunks)
    assert done
    path = tmp_path / "turned.png"
    path.write_bytes(data.tobytes())
    read = read_image(path, say=print)
    turned = {
        1: pixels, 2: pixels[:, ::-1], 3: pixels[::-1, ::-1], 4: pixels[::-1],
        5: pixels.swapaxes(0, 1), 6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1), 8: np.rot90(pixels),
    }[orientation]  # fmt: skip
    np.testing.assert_array_equal(read.bgr_u8, turned[..., :3])
    np.testing.assert_array_equal(read.alpha_u8, turned[..., 3])


def test_alpha_is_kept_where_the_format_has_it(tmp_path: Path) -> None:
    pixels = picture(channels=4)
    source = save(tmp_path / "in.png", pixels)
    for name in ("out.png", "out.webp", "out.tif"):
        assert run(source, tmp_path / name) == []
        result = cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)
        assert result is not None
        assert result.shape == (40, 60, 4)
        # Inside the blocks a cubic resize changes nothing.
        np.testing.assert_array_equal(result[10::20, 10::20, 3], pixels[5::10, 5::10, 3])
    with pytest.raises(OutputError, match=r"transparency, which .jpg cannot hold; use .png"):
        run(source, tmp_path / "out.jpg")
    assert not (tmp_path / "out.jpg").exists()


def test_grey_becomes_colour(tmp_path: Path) -> None:
    source = save(tmp_path / "grey.png", picture()[..., 0])
    read = read_image(source, say=print)
    np.testing.assert_array_equal(read.bgr_u8, np.repeat(picture()[..., :1], 3, 2))


def test_sixteen_bits_are_rounded_to_eight_and_said(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    source = save(tmp_path / "deep.png", np.dstack([values] * 3))
    notes: list[str] = []
    read = read_image(source, say=notes.append)
    np.testing.assert_array_equal(read.bgr_u8[..., 1], np.round(values / 257))
    assert notes == ["deep.png: 16 bits per channel are reduced to 8"]


def test_floating_point_pixels_are_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "hdr.tiff", picture().astype(np.float32))
    with pytest.raises(InputError, match="has float32 pixels; convert it"):
        read_image(source, say=print)


def test_a_colour_profile_is_kept_or_said_to_be_lost(tmp_path: Path) -> None:
    profile = np.frombuffer(b"\0\0\0\x84" + bytes(128), np.uint8)
    done, data = cv2.imencodeWithMetadata(".jpg", picture(), [cv2.IMAGE_METADATA_ICCP], [profile])
    assert done
    source = tmp_path / "in.jpg"
    source.write_bytes(data.tobytes())
    assert run(source, tmp_path / "out.jpg") == []
    kept = read_image(tmp_path / "out.jpg", say=print).icc_profile
    np.testing.assert_array_equal(kept, profile)
    notes = run(source, tmp_path / "out.bmp")
    assert notes == ["out.bmp: the colour profile of the source is left out"]


def test_only_the_first_page_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    assert cv2.imwritemulti(str(path), [picture(), picture()])
    assert run(path, tmp_path / "out.png") == [
        "pages.tiff: holds 2 images; only the first is upscaled"
    ]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_images_that_are_cut_short_are_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / f"in{suffix}", rng.integers(0, 255, (64, 64, 3), np.uint8))
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.97):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(InputError, match="is no image that can be read, or a damaged one"):
            run(path, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.png", tmp_path / "empty.png"
    text.write_text("not an image")
    empty.touch()
    for source, message in [
        (text, "is no image that can be read"),
        (empty, "the file is empty"),
        (tmp_path / "none.png", "no such file"),
        (tmp_path, "is a folder"),
    ]:
        with pytest.raises(InputError, match=message):
            run(source, tmp_path / "out.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty.png", "text.png"]


def test_targets_are_checked(tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", picture())
    for target, message in [
        (tmp_path / "out.xyz", r"cannot be written to .xyz; use .png, .jpg"),
        (tmp_path / "out", "a name without suffix"),
        (source, "is the input itself"),
    ]:
        with pytest.raises(OutputError, match=message):
            run(source, target)


def test_images_too_large_for_a_format_are_refused(tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", picture(10, 9000))
    with pytest.raises(OutputError, match=r"18000×20 pixels are too many for .webp; use .png"):
        run(source, tmp_path / "out.webp")
