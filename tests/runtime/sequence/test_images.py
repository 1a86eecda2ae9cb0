"""A video becomes images, and images a video; Pillow and ffprobe say what was written."""

from __future__ import annotations

import json
import os
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.errors import ConfigError, InputError, OutputError
from framelift.runtime.sequence import upscale_to_images
from framelift.runtime.video import ConvertOptions, EncoderOptions, Span, upscale_video
from framelift.runtime.video.clip.frame import Image as Pixels
from framelift.runtime.video.clip.image_sequence import ImageSequence, parse_rate
from framelift.runtime.video.resume.segments import work_path

from ...support.clips import Nearest, frame_times, make_clip, noise

LOSSLESS = {"codec": "ffv1", "pixel_format": "bgr0"}


class DeepNearest(Nearest):
    """One that takes 16 bits, too."""

    depth = 8
    deep_problem = None

    def at_depth(self, depth: int) -> DeepNearest:
        made = DeepNearest(self.scale)
        made.depth = depth
        return made


def silent(line: str) -> None:
    pass


def images(folder: Path, pixels: list[Pixels], name: str = "f_%03d.png", first: int = 1) -> Path:
    """Write a sequence and return its pattern."""
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(pixels, first):
        assert cv2.imwrite(str(folder / (name % number)), picture)
    return folder / name


def sequence(pattern: Path, rate: Fraction = Fraction(10)) -> ImageSequence:
    return ImageSequence.find(pattern).at_rate(rate)


def test_every_frame_becomes_an_image(tmp_path: Path) -> None:
    pixels = noise(12)
    source = make_clip(tmp_path / "a.mkv", pixels, **LOSSLESS, audio="flac")  # type: ignore[arg-type]
    notes, pattern = list[str](), tmp_path / "new" / "f_%03d.png"
    result = upscale_to_images(source, pattern, Nearest(2), quiet=True, say=notes.append)
    assert notes == ["a.mkv: its audio is left out, images hold none"]
    assert (result.width_px, result.height_px, result.stats.frames_written) == (128, 96, 12)
    made = sorted(pattern.parent.iterdir())
    assert [path.name for path in made] == [f"f_{n:03}.png" for n in range(1, 13)]
    for path, picture in zip(made, pixels, strict=True):
        with Image.open(path) as image:
            assert image.mode == "RGB"
            shown = np.asarray(image)[..., ::-1]
        np.testing.assert_array_equal(shown, Nearest(2)(picture))


def test_a_span_and_another_format(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(12))
    options = ConvertOptions(span=Span(Fraction(1001 * 3, 30000), Fraction(1001 * 8, 30000)))
    upscale_to_images(source, tmp_path / "%d.jpg", Nearest(2), options, quiet=True, say=silent)
    names = [f"{n}.jpg" for n in range(1, 6)]
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == names
    with Image.open(tmp_path / "5.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (128, 96))


@pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg and ffprobe")
@pytest.mark.parametrize(
    ("stored", "suffix", "written"),
    [
        ("yuv420p10le", ".png", "rgb48be"),
        ("yuv420p10le", ".tif", "rgb48le"),
        ("yuva444p10le", ".png", "rgba64be"),
        ("bgra", ".png", "rgba"),
        ("gray10le", ".png", "gray16be"),
        ("gray", ".png", "gray"),
        ("yuv420p10le", ".bmp", "bgr24"),
    ],
)
def test_depth_grey_and_alpha_are_kept_where_the_format_holds_them(
    tmp_path: Path, stored: str, suffix: str, written: str
) -> None:
    source, notes = tmp_path / "a.mkv", list[str]()
    made = f"format={stored}"
    if "a" in stored[:4] and "gray" not in stored:
        made = "format=rgba,colorchannelmixer=aa=0.5," + made
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=64x48:r=10:d=0.2",
            "-vf",
            made,
            "-c:v",
            "ffv1",
            str(source),
        ],
        check=True,
    )
    pattern = tmp_path / f"f%d{suffix}"
    upscale_to_images(source, pattern, DeepNearest(2), quiet=True, say=notes.append)
    found = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(tmp_path / f"f2{suffix}")],
        capture_output=True,
        check=True,
    )
    (stream,) = json.loads(found.stdout)["streams"]
    assert (stream["pix_fmt"], stream["width"]) == (written, 128)
    lost = ["a.mkv: 10 bits per channel are reduced to 8: .bmp has no more"]
    assert notes == (lost if suffix == ".bmp" else [])
    if "a" in written[:4] and written.startswith("rgba") and not written.endswith("64be"):
        with Image.open(tmp_path / "f2.png") as image:
            alpha = np.asarray(image)[..., 3]
        assert 126 <= alpha.min() <= alpha.max() <= 129


@pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg")
def test_what_each_image_loses_is_said_once(tmp_path: Path) -> None:
    source, notes = tmp_path / "a.mkv", list[str]()
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=64x48:r=10:d=0.3",
            "-vf",
            "format=gbrp14le",
            "-c:v",
            "ffv1",
            str(source),
        ],
        check=True,
    )
    upscale_to_images(source, tmp_path / "f%d.avif", DeepNearest(2), quiet=True, say=notes.append)
    assert notes == ["f1.avif: 14 bits per channel become 12; use .png to keep all"]


@pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg")
def test_hdr_is_stated_in_png_and_refused_elsewhere(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=64x48:r=10:d=0.2",
            "-pix_fmt",
            "yuv420p10le",
            "-c:v",
            "libx265",
            "-x265-params",
            "log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
            str(source),
        ],
        check=True,
        capture_output=True,
    )
    upscale_to_images(source, tmp_path / "f%d.png", DeepNearest(2), quiet=True, say=silent)
    assert b"cICP\x09\x10\x00\x01" in (tmp_path / "f1.png").read_bytes()
    with pytest.raises(InputError, match=r"is HDR video \(PQ\), which \.jpg cannot hold; use"):
        upscale_to_images(source, tmp_path / "f%d.jpg", DeepNearest(2), quiet=True, say=silent)
    # And back: the images say that they are HDR, so the video does.
    target = tmp_path / "back.mkv"
    upscale_video(sequence(tmp_path / "f%d.png"), target, DeepNearest(1), quiet=True, say=silent)
    found = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(target)],
        capture_output=True,
        check=True,
    )
    (stream,) = json.loads(found.stdout)["streams"]
    assert (stream["color_transfer"], stream["color_primaries"]) == ("smpte2084", "bt2020")


class Interrupting(Nearest):
    """Fails at its n-th frame, as Ctrl-C might."""

    def __init__(self, after: int) -> None:
        super().__init__(2)
        self.after = after

    def __call__(self, frame: Pixels, out: Pixels | None = None) -> Pixels:
        if self.calls == self.after:
            time.sleep(1)  # so that all frames before are written
            raise InputError("interrupted")
        return super().__call__(frame, out)


def test_an_interrupted_run_leaves_nothing_or_goes_on(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(20), **LOSSLESS)  # type: ignore[arg-type]
    pattern, resuming = tmp_path / "new" / "f_%02d.png", ConvertOptions(resume="model")
    for options in (None, resuming):
        with pytest.raises(InputError, match="interrupted"):
            upscale_to_images(source, pattern, Interrupting(8), options, quiet=True, say=silent)
        assert not list(tmp_path.glob("new/f_*.png"))
        assert work_path(pattern).exists() == (options is not None)
    (work_path(pattern) / "00000006.167.png").unlink()  # as after a power failure
    upscaler, notes = Nearest(2), list[str]()
    result = upscale_to_images(source, pattern, upscaler, resuming, quiet=True, say=notes.append)
    assert (upscaler.calls, result.frames_resumed) == (15, 5)
    assert notes == ["f_%02d.png: continuing after 5 frames"]
    whole = tmp_path / "whole" / "f_%02d.png"
    upscale_to_images(source, whole, Nearest(2), quiet=True, say=silent)
    assert [p.read_bytes() for p in sorted(pattern.parent.iterdir())] == [
        p.read_bytes() for p in sorted(whole.parent.iterdir())
    ]


def test_images_that_are_there_are_replaced_only_when_asked(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(3))
    pattern = images(tmp_path / "new", noise(5, 8, 8), "f%d.png")
    before = (pattern.parent / "f2.png").read_bytes()
    with pytest.raises(OutputError, match=r"f1\.png already exists; pass --overwrite"):
        upscale_to_images(source, pattern, Nearest(2), quiet=True)
    assert (pattern.parent / "f2.png").read_bytes() == before
    notes = list[str]()
    upscale_to_images(source, pattern, Nearest(2), overwrite=True, quiet=True, say=notes.append)
    assert notes == ["f%d.png: 2 older images are left beside the new ones, from f4.png on"]
    with pytest.raises(OutputError, match=r"the folder .*gone does not exist; create it first"):
        upscale_to_images(source, tmp_path / "gone" / "x" / "f%d.png", Nearest(2), quiet=True)
    with pytest.raises(OutputError, match=r"a\.mp4 is a file; name a folder"):
        upscale_to_images(source, source / "f%d.png", Nearest(2), quiet=True)


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


def test_a_span_of_images_and_resuming(tmp_path: Path) -> None:
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
            Interrupting(6),
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


def test_an_image_that_changed_starts_anew(tmp_path: Path) -> None:
    pattern, options = images(tmp_path / "in", noise(12)), ConvertOptions(resume="model")
    target, notes = tmp_path / "out.mp4", list[str]()
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(
            sequence(pattern),
            target,
            Interrupting(6),
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
    with pytest.raises(ConfigError, match="is no number of frames per second: write"):
        parse_rate(text)


def test_a_very_slow_rate_is_one() -> None:
    assert parse_rate("0.004") == Fraction(1, 250)


def test_a_sequence_does_not_replace_itself(tmp_path: Path) -> None:
    pattern = images(tmp_path, noise(3), first=3)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="is the input itself; name other files"):
        upscale_to_images(
            sequence(pattern), pattern, Nearest(2), overwrite=True, quiet=True, say=silent
        )
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_only_a_later_image_has_is_kept(tmp_path: Path) -> None:
    """A grey title, then colour; an opaque picture, then a transparent one; 8 bits, then 16."""
    folder = tmp_path / "in"
    folder.mkdir()
    colour = noise(2, 32, 24)[1]
    for name, later in (
        ("grey", colour),
        ("clear", np.dstack([colour, np.full((24, 32), 100, np.uint8)])),
        ("deep", colour.astype(np.uint16) * 256 + 77),
    ):
        cv2.imwrite(str(folder / f"{name}_1.png"), colour[..., 1])
        cv2.imwrite(str(folder / f"{name}_2.png"), later)
        clip = sequence(folder / f"{name}_%d.png")
        target = tmp_path / f"{name}_%d.png"
        upscale_to_images(clip, target, DeepNearest(2), quiet=True, say=silent)
        made = cv2.imread(str(tmp_path / f"{name}_2.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(made, later.repeat(2, 0).repeat(2, 1))


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
