"""A video becomes images, and images a video; Pillow and ffprobe say what was written."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path
from shutil import which

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.errors import InputError, OutputError
from framelift.runtime.video.clip.span import Span
from framelift.runtime.video.resume.segments import work_path
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video_to_images import upscale_to_images

from ...support.clips import Nearest, make_clip, noise
from ...support.sequences import LOSSLESS, images, sequence, silent
from ...support.upscalers import DeepNearest, Interrupting


def ffv1_clip(path: Path, seconds: float, filters: str) -> None:
    """A test pattern of FFmpeg, 64×48 with 10 frames a second, without loss."""
    pattern = f"testsrc2=s=64x48:r=10:d={seconds}"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", pattern, "-vf", filters]
    subprocess.run([*command, "-c:v", "ffv1", str(path)], check=True)


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
    ffv1_clip(source, 0.2, made)
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
    ffv1_clip(source, 0.3, "format=gbrp14le")
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


def test_an_interrupted_run_leaves_nothing_or_goes_on(tmp_path: Path, written: list[int]) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(20), **LOSSLESS)  # type: ignore[arg-type]
    pattern, resuming = tmp_path / "new" / "f_%02d.png", ConvertOptions(resume="model")
    for options in (None, resuming):
        with pytest.raises(InputError, match="interrupted"):
            upscale_to_images(
                source, pattern, Interrupting(8, written), options, quiet=True, say=silent
            )
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
