"""Images: read upright and complete, written with what they had."""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framelift.common.errors import InputError, OutputError
from framelift.common.images import (
    FOREIGN_IMAGE_SUFFIXES,
    IMAGE_SUFFIXES,
    Picture,
    Pixels,
    encode_image,
    read_image,
)
from framelift.common.images.opening import opened
from framelift.runtime.files.jobs import plan_jobs
from framelift.runtime.still import upscale_image
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.faulty_images import odd_profile, restart_marks


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
    if path.suffix == ".jfif":  # a name of JPEG that OpenCV cannot write
        save(path.with_suffix(".jpg"), pixels).rename(path)
    elif path.suffix in (".heic", ".heif", ".hif", ".jxl"):
        path.write_bytes(encode_image(path, Picture(np.ascontiguousarray(pixels)), say=print))
    else:
        assert cv2.imwrite(str(path), pixels)
    return path


def tiff(pixels: np.ndarray[Any, Any], colours: int, sample_format: int) -> bytes:
    """An uncompressed TIFF of what OpenCV does not write; the numbers are those of TIFF."""
    height, width, channels = pixels.shape
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, 8 * pixels.itemsize),
        (259, 3, 1),
        (262, 3, colours),
        (273, 4, 8),
        (277, 3, channels),
        (278, 4, height),
        (279, 4, pixels.nbytes),
        (339, 3, sample_format),
    ]
    entries = [struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags]
    if channels > 2:  # too long for its entry
        bits = 8 + pixels.nbytes
        entries[2] = struct.pack("<HHII", 258, 3, channels, bits)
    body: bytes = pixels.tobytes() + struct.pack("<H", 8 * pixels.itemsize) * channels
    directory = struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory


def profile(space: bytes) -> Pixels:
    """The shortest ICC profile for pixels of this colour space."""
    return np.frombuffer(b"\0\0\0\x84" + bytes(12) + space + bytes(112), np.uint8)


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
    with opened(target) as (image, _):  # by Pillow
        result = np.asarray(image.convert("RGB"))[..., ::-1]
    assert result.shape == (40, 60, 3)
    expected = Nearest()(read_image(source, say=print).bgr)
    if suffix not in (".png", ".apng", ".tif", ".tiff", ".bmp", ".ppm"):
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
        1: pixels,
        2: pixels[:, ::-1],
        3: pixels[::-1, ::-1],
        4: pixels[::-1],
        5: pixels.swapaxes(0, 1),
        6: np.rot90(pixels, -1),
        7: np.rot90(pixels, 2).swapaxes(0, 1),
        8: np.rot90(pixels),
    }[orientation]
    np.testing.assert_array_equal(read.bgr, turned[..., :3])
    np.testing.assert_array_equal(read.alpha, turned[..., 3])


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


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_opaque_alpha_channel_is_no_transparency(tmp_path: Path, dtype: type[Any]) -> None:
    full = np.iinfo(dtype).max
    pixels = np.dstack([picture().astype(dtype), np.full((20, 30), full, dtype)])
    source = save(tmp_path / "in.png", pixels)
    run(source, tmp_path / "out.jpg")
    assert (tmp_path / "out.jpg").exists()
    pixels[3, 4, 3] = full - full // 255
    save(source, pixels)
    with pytest.raises(OutputError, match=r"transparency, which .bmp cannot hold"):
        run(source, tmp_path / "out.bmp")


def test_cmyk_is_no_transparency(tmp_path: Path) -> None:
    source = tmp_path / "in.tif"
    source.write_bytes(tiff(picture(channels=4), colours=5, sample_format=1))
    assert run(source, tmp_path / "out.jpg") == ["in.tif: its CMYK colours are converted to sRGB"]


def test_grey_becomes_colour(tmp_path: Path) -> None:
    source = save(tmp_path / "grey.png", picture()[..., 0])
    read = read_image(source, say=print)
    np.testing.assert_array_equal(read.bgr, np.repeat(picture()[..., :1], 3, 2))


def test_sixteen_bits_are_rounded_to_eight_and_said(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 600).astype(np.uint16).reshape(20, 30)
    source = save(tmp_path / "deep.png", np.dstack([values] * 3))
    notes: list[str] = []
    read = read_image(source, say=notes.append)
    np.testing.assert_array_equal(read.bgr[..., 1], np.round(values / 257))
    assert notes == ["deep.png: 16 bits per channel are reduced to 8"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(("dtype", "sample_format"), [("float32", 3), ("int32", 2)])
def test_pixels_of_neither_8_nor_16_bits_are_refused(
    tmp_path: Path, channels: int, dtype: str, sample_format: int
) -> None:
    source = tmp_path / "deep.tiff"
    pixels = picture(channels=channels).astype(dtype)
    source.write_bytes(tiff(pixels, 2 if channels > 2 else 1, sample_format))
    with pytest.raises(InputError, match=f"deep.tiff: has {dtype} pixels; convert it to 8 or 16"):
        run(source, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_colour_profile_is_kept_or_said_to_be_lost(tmp_path: Path) -> None:
    source = with_profile(tmp_path / "in.jpg", b"RGB ")
    assert run(source, tmp_path / "out.jpg") == []
    kept = read_image(tmp_path / "out.jpg", say=print).icc_profile
    assert kept == profile(b"RGB ").tobytes()
    assert run(source, tmp_path / "out.jfif") == []
    notes = run(source, tmp_path / "out.bmp")
    assert notes == ["out.bmp: the colour profile of the source is left out"]


@pytest.mark.parametrize("space", [b"GRAY", b"CMYK"])
def test_a_colour_profile_for_other_pixels_is_left_out(tmp_path: Path, space: bytes) -> None:
    source = with_profile(tmp_path / "in.jpg", space)
    for name in ("out.jpg", "out.png", "out.bmp"):
        assert run(source, tmp_path / name) == [
            f"{name}: the colour profile of the source is left out: it is not for RGB"
        ]
        assert read_image(tmp_path / name, say=print).icc_profile is None


def with_profile(path: Path, space: bytes) -> Path:
    kinds, chunks = [cv2.IMAGE_METADATA_ICCP], [profile(space)]
    done, data = cv2.imencodeWithMetadata(path.suffix, picture(), kinds, chunks)
    assert done
    path.write_bytes(data.tobytes())
    return path


def test_only_the_first_page_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "pages.tiff"
    assert cv2.imwritemulti(str(path), [picture(), picture()])
    assert run(path, tmp_path / "out.png") == [
        "pages.tiff: contains 2 images; only the first is upscaled"
    ]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_images_that_are_cut_short_are_refused(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = save(tmp_path / f"in{suffix}", rng.integers(0, 255, (64, 64, 3), np.uint8))
    data = path.read_bytes()
    for share in (0.1, 0.5, 0.97):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
            run(path, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_bytes_after_the_end_of_a_png_are_allowed(tmp_path: Path) -> None:
    source = save(tmp_path / "in.png", picture())
    whole = source.read_bytes()
    source.write_bytes(whole + bytes(500))
    assert run(source, tmp_path / "out.png") == []
    # The name of the last chunk in what was appended is no such chunk.
    source.write_bytes(whole[:-12] + bytes(500) + b"IEND")
    with pytest.raises(InputError, match="or is damaged"):
        run(source, tmp_path / "again.png")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_need_not_be_unicode(tmp_path: Path) -> None:
    source = tmp_path / os.fsdecode(b"caf\xe9.png")
    save(tmp_path / "in.png", picture()).rename(source)
    assert run(source, tmp_path / os.fsdecode(b"\xe9.png")) == []
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "text.png", tmp_path / "empty.png"
    text.write_text("not an image")
    empty.touch()
    for source, message in [
        (text, "cannot be read as an image"),
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
        (tmp_path / "out.xyz", r"cannot be written to .xyz; use .png, .apng, .jpg"),
        (tmp_path / "out", "a name without suffix"),
        (source, "is the input itself"),
    ]:
        with pytest.raises(OutputError, match=message):
            run(source, target)


def test_jfif_is_planned_as_an_image(tmp_path: Path) -> None:
    source = save(tmp_path / "in.jfif", picture())
    (job,) = plan_jobs(source, tmp_path / "out.png", EncoderOptions())
    assert job.is_image


def test_libraries_write_nothing_and_damage_is_said(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    for name, data in (("a.png", odd_profile()), ("b.jpg", restart_marks())):
        (tmp_path / name).write_bytes(data)
        read_image(tmp_path / name, say=said.append)
    assert capfd.readouterr() == ("", "")
    assert said == ["b.jpg: is damaged; the part that could be read is upscaled"]


@pytest.mark.parametrize("suffix", [*FOREIGN_IMAGE_SUFFIXES, ".PSD"])
def test_images_that_are_not_read_are_to_be_converted(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    source.touch()
    message = rf"in{suffix}: {suffix} images cannot be read; .*convert it to PNG first$"
    with pytest.raises(InputError, match=message):
        plan_jobs(source, tmp_path / "out.png", EncoderOptions())
    # FFmpeg reads some of them as videos of one frame.
    (job,) = plan_jobs(source, tmp_path / "out.mp4", EncoderOptions())
    assert not job.is_image


def test_images_that_are_not_read_are_left_out_of_a_folder_with_a_line(tmp_path: Path) -> None:
    for name in ("a.png", "b.psd", "c.exr", ".d.psd", "notes.txt"):
        (tmp_path / name).touch()
    notes: list[str] = []
    (job,) = plan_jobs(tmp_path, tmp_path / "out", EncoderOptions(), say=notes.append)
    assert job.source.name == "a.png"
    (note,) = notes
    assert "b.psd and 1 more left out" in note


@pytest.mark.parametrize(("suffix", "most"), [(".jpg", 65500), (".webp", 16383), (".avif", 32768)])
def test_images_too_large_for_a_format_are_refused(tmp_path: Path, suffix: str, most: int) -> None:
    largest = Picture(np.zeros((16, most, 3), np.uint8))
    target = tmp_path / f"out{suffix}"
    target.write_bytes(encode_image(target, largest, say=print))
    with opened(target) as (image, _):  # by Pillow
        assert image.size == (most, 16)
        image.load()
    larger = Picture(np.zeros((16, most + 1, 3), np.uint8))
    with pytest.raises(OutputError, match=rf"{most + 1}×16 pixels are too many for {suffix}; use"):
        encode_image(tmp_path / f"x{suffix}", larger, say=print)


def test_images_too_large_for_a_format_are_refused_before_the_work(tmp_path: Path) -> None:
    class Never(Nearest):
        def __call__(self, frame: Pixels) -> Pixels:
            raise AssertionError("the network was run")

    source = save(tmp_path / "in.png", picture(10, 9000))
    with pytest.raises(OutputError, match=r"18000×20 pixels are too many for .webp; use .png"):
        upscale_image(source, tmp_path / "out.webp", Never(), scale=2.0, say=print)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_a_png_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save(tmp_path / "deep.png", np.full((8, 9, 3), 514, np.uint16))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", None)  # by OpenCV alone
    read = read_image(source, say=lambda line: None)
    assert (read.depth, int(read.bgr[0, 0, 0])) == (16, 2)
