"""Image sequences that become videos."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.errors import ConfigError, InputError
from framelift.runtime.video.clip.image_sequence import ImageSequence, parse_rate
from framelift.runtime.video.clip.span import Span
from framelift.runtime.video.reading.image_source import ImageSource
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions
from framelift.runtime.video_to_images import upscale_to_images

from ...support.clips import Nearest, frame_times, noise
from ...support.sequences import images, sequence, silent
from ...support.upscalers import DeepNearest, Interrupting


@pytest.mark.parametrize("first", [0, 7, 99999])
def test_images_become_a_video_from_any_number_on(tmp_path: Path, first: int) -> None:
    pixels = noise(6)
    pattern = images(tmp_path / "in", pixels, "f_%05d.png", first)
    (pattern.parent / "f_1.png").write_text("not of this sequence")
    target = tmp_path / "out.mkv"
    rate = Fraction(24000, 1001)
    upscale_video(
        sequence(pattern, rate), target, Nearest(2), EncoderOptions("ffv1"), quiet=True, say=silent
    )
    assert frame_times(target) == [Fraction(round(n * 1001 / 24), 1000) for n in range(6)]
    decoded = cv2.VideoCapture(str(target))
    for picture in pixels:
        np.testing.assert_array_equal(decoded.read()[1], Nearest(2)(picture))


def test_a_span_of_images_and_resuming(tmp_path: Path, written: list[int]) -> None:
    pattern = images(tmp_path / "in", noise(20))
    options = ConvertOptions(span=Span(Fraction(3, 10), Fraction(18, 10)), resume="model")
    whole, parted = tmp_path / "whole.mp4", tmp_path / "parted.mp4"
    upscale_video(
        sequence(pattern), whole, Nearest(2), EncoderOptions(), options, quiet=True, say=silent
    )
    assert frame_times(whole) == [Fraction(n, 10) for n in range(15)]
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(
            sequence(pattern),
            parted,
            Interrupting(6, written),
            EncoderOptions(),
            options,
            quiet=True,
            say=silent,
        )
    upscaler, notes = Nearest(2), list[str]()
    upscale_video(
        sequence(pattern),
        parted,
        upscaler,
        EncoderOptions(),
        options,
        quiet=True,
        say=notes.append,
    )
    assert "parted.mp4: continuing after 6 frames" in notes
    assert upscaler.calls == 9
    assert parted.read_bytes() == whole.read_bytes()
    with pytest.raises(InputError, match=r"f_%03d\.png: ends before 2 s"):
        upscale_video(
            sequence(pattern),
            tmp_path / "late.mp4",
            Nearest(2),
            EncoderOptions(),
            ConvertOptions(span=Span(Fraction(2))),
            quiet=True,
        )


def test_an_image_that_changed_starts_anew(tmp_path: Path, written: list[int]) -> None:
    pattern, options = images(tmp_path / "in", noise(12)), ConvertOptions(resume="model")
    target, notes = tmp_path / "out.mp4", list[str]()
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(
            sequence(pattern),
            target,
            Interrupting(6, written),
            EncoderOptions(),
            options,
            quiet=True,
            say=silent,
        )
    os.utime(pattern.with_name("f_002.png"), (1, 1))
    upscale_video(
        sequence(pattern),
        target,
        Nearest(2),
        EncoderOptions(),
        options,
        quiet=True,
        say=notes.append,
    )
    assert "out.mp4: the input or the settings changed; starting again" in notes


def test_depth_and_alpha_of_images_reach_the_video(tmp_path: Path) -> None:
    deep = [
        np.dstack([p.astype(np.uint16) * 257, np.full(p.shape[:2], 32896, np.uint16)])
        for p in noise(3)
    ]
    pattern = images(tmp_path / "in", deep)
    target, notes = tmp_path / "out.mkv", list[str]()
    upscale_video(
        sequence(pattern),
        target,
        DeepNearest(2),
        EncoderOptions("ffv1"),
        quiet=True,
        say=notes.append,
    )
    assert notes == []
    upscale_to_images(target, tmp_path / "b%d.png", DeepNearest(1), quiet=True, say=silent)
    read = cv2.imread(str(tmp_path / "b2.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, deep[1].repeat(2, 0).repeat(2, 1))


def test_bad_sequences_are_one_line(tmp_path: Path) -> None:
    pattern = images(tmp_path / "in", noise(6))
    target = tmp_path / "out.mp4"
    with pytest.raises(ConfigError, match=r"the images have no frame rate; name it, such as --fps"):
        upscale_video(ImageSequence.find(pattern), target, Nearest(2), quiet=True)
    cv2.imwrite(str(tmp_path / "in" / "f_005.png"), np.zeros((24, 64, 3), np.uint8))
    with pytest.raises(
        InputError, match=r"f_005\.png: is 64×24, and the images before it are 64×48; a video"
    ):
        upscale_video(sequence(pattern), target, Nearest(2), quiet=True, say=silent)
    (tmp_path / "in" / "f_005.png").write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"f_005\.png: cannot be read as an image"):
        upscale_video(sequence(pattern), target, Nearest(2), quiet=True, say=silent)
    (tmp_path / "in" / "f_005.png").unlink()
    with pytest.raises(
        InputError, match=r"f_%03d\.png: f_005\.png is missing, the sequence goes from 1 to 6"
    ):
        sequence(pattern)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("25", Fraction(25)),
        ("24000/1001", Fraction(24000, 1001)),
        ("23.976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("0.5", Fraction(1, 2)),
        ("24.0", Fraction(24)),
    ],
)
def test_rates_are_exact(text: str, rate: Fraction) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["0", "-1", "fast", "1/0", "nan", "inf", "1e9", "1e999999999", "0.0000000001", ""]
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a frame rate: write"):
        parse_rate(text)


def test_a_very_slow_rate_is_one() -> None:
    assert parse_rate("0.004") == Fraction(1, 250)


def test_images_of_other_kinds_and_turned_ones_become_a_video(tmp_path: Path) -> None:
    picture = Image.fromarray(np.ascontiguousarray(noise(1)[0][..., ::-1]))  # 64×48
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture.save(tmp_path / "t_1.jpg", exif=exif, quality=95)
    picture.save(tmp_path / "t_2.jpg", exif=exif, quality=95)
    picture.convert("P").save(tmp_path / "p_1.png")
    picture.convert("1").save(tmp_path / "p_2.png")
    picture.convert("CMYK").save(tmp_path / "c_1.tif")
    for pattern, size in (("t_%d.jpg", "96×128"), ("p_%d.png", "128×96"), ("c_%d.tif", "128×96")):
        result = upscale_video(
            sequence(tmp_path / pattern),
            tmp_path / "out.mkv",
            Nearest(2),
            EncoderOptions("ffv1"),
            overwrite=True,
            quiet=True,
            say=silent,
        )
        assert f"{result.width_px}×{result.height_px}" == size


def test_depth_behind_8_bits_is_kept_in_avif(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(0, 65535, 64).astype(np.uint16)[None], 32, 0)
    for number, bits in ((1, 8), (2, 10)):
        pixels = np.dstack([ramp >> (16 - bits)] * 3)
        pixels = pixels.astype(np.uint8 if bits == 8 else np.uint16)
        cv2.imwrite(str(tmp_path / f"f{number}.avif"), pixels, [cv2.IMWRITE_AVIF_DEPTH, bits])
    source = ImageSource(ImageSequence.find(tmp_path / "f%d.avif").at_rate(Fraction(25)))
    assert source.facts.pixel_format.bits == 16
