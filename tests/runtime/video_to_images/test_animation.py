"""A video, or images, become an animated GIF, WebP or APNG; Pillow says what was written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common.errors import ConfigError, InputError, OutputError
from framelift.runtime.video.clip.image_sequence import ImageSequence
from framelift.runtime.video.clip.span import Span
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions
from framelift.runtime.video_to_images import animation, upscale_to_animation, upscale_to_images

from ...support.clips import Nearest, frame_times, make_clip, noise

QUICK = EncoderOptions(preset="ultrafast")


def frames(path: Path) -> list[tuple[float, np.ndarray]]:
    """The time and the pixels of each frame."""
    found = []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            found.append((float(image.info["duration"]), np.asarray(image.convert("RGBA"))))
        assert image.info.get("loop") == 0
    return found


@pytest.mark.parametrize(
    ("suffix", "off"), [(".apng", 0), (".webp", 8), (".gif", 8)], ids=["apng", "webp", "gif"]
)
def test_frames_and_their_times_are_kept(tmp_path: Path, suffix: str, off: int) -> None:
    pts = [0, 1000, 3000, 10000]  # the last one as long as the one before it
    pixels = noise(4)
    source = make_clip(
        tmp_path / "a.mkv",
        pixels,
        pts=pts,
        time_base=Fraction(1, 10000),
        codec="ffv1",
        pixel_format="bgr0",
        rate=Fraction(10),
    )
    notes, target = list[str](), tmp_path / f"out{suffix}"
    result = upscale_to_animation(source, target, Nearest(2), quiet=True, say=notes.append)
    assert notes == []
    assert (result.width_px, result.height_px, result.stats.frames_written) == (128, 96, 4)
    made = frames(target)
    assert [time for time, _ in made][:3] == [100, 200, 700]
    for (_, shown), picture in zip(made, pixels, strict=True):
        wanted = Nearest(2)(picture)[..., ::-1].astype(int)
        assert np.abs(shown[..., :3] - wanted).mean() <= off
        assert shown[..., 3].min() == 255


def test_times_do_not_drift_and_fast_gifs_are_named(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "a.mp4",
        noise(60),
        rate=Fraction(60000, 1001),
        pts=[n * 1001 for n in range(60)],
        time_base=Fraction(1, 60000),
    )
    notes = list[str]()
    for suffix in (".gif", ".apng"):
        target = tmp_path / f"out{suffix}"
        upscale_to_animation(source, target, Nearest(2), quiet=True, say=notes.append)
        assert abs(sum(time for time, _ in frames(target)) - 1001) <= 6
    assert "out.gif: browsers slow down a .gif of more than 50 frames per second; .webp" in notes[0]
    assert notes[1:] == ["out.gif: .gif counts hundredths of a second; frame times are rounded"]


def test_transparent_images_become_a_transparent_animation(tmp_path: Path) -> None:
    for number in range(3):
        picture = np.full((16, 16, 4), (10, 200, 30, 0), np.uint8)
        picture[4:12, 4 + number : 12 + number, 3] = 255
        cv2.imwrite(str(tmp_path / f"f{number}.png"), picture)
    clip = ImageSequence.find(tmp_path / "f%d.png").at_rate(Fraction(10))
    for suffix in (".gif", ".webp", ".apng"):
        target = tmp_path / f"out{suffix}"
        upscale_to_animation(clip, target, Nearest(2), quiet=True, say=lambda _: None)
        made = frames(target)
        assert [time for time, _ in made] == [100, 100, 100]
        for number, (_, shown) in enumerate(made):
            assert shown[16, 16, 3] == 255
            assert shown[2, 2, 3] == 0
            assert shown[16, 26 + 2 * number, 3] == 0
    # And back to a video, which lasts as long.
    upscale_video(
        tmp_path / "out.gif", tmp_path / "back.mp4", Nearest(2), quiet=True, say=lambda _: None
    )
    assert cv2.VideoCapture(str(tmp_path / "back.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_a_fast_animation_becomes_av1_which_takes_no_such_rate(tmp_path: Path) -> None:
    pictures = [Image.fromarray(picture) for picture in noise(4)]
    source, target = tmp_path / "a.webp", tmp_path / "out.mkv"
    pictures[0].save(source, save_all=True, append_images=pictures[1:], duration=4)
    av1 = EncoderOptions("av1", preset="12")
    for options in (ConvertOptions(), ConvertOptions(resume="m")):
        upscale_video(
            source, target, Nearest(2), av1, options, overwrite=True, quiet=True, say=lambda _: None
        )
        assert frame_times(target) == [Fraction(n, 1000) for n in (0, 4, 8, 12)]


@pytest.mark.parametrize("suffix", [".webp", ".apng"])
def test_animated_images_become_videos_and_images(tmp_path: Path, suffix: str) -> None:
    pictures = [Image.fromarray(picture) for picture in noise(4)]
    source = tmp_path / f"a{suffix}"
    pictures[0].save(
        source,
        "PNG" if suffix == ".apng" else "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=[100, 250, 50, 600],
        loop=0,
        lossless=True,
    )
    target = tmp_path / "out.mkv"
    lossless = EncoderOptions("ffv1")
    upscale_video(source, target, Nearest(2), lossless, quiet=True, say=lambda _: None)
    assert frame_times(target) == [Fraction(n, 1000) for n in (0, 100, 350, 400)]
    decoded = cv2.VideoCapture(str(target))
    for picture in pictures:
        shown = decoded.read()[1][..., ::-1]
        np.testing.assert_array_equal(shown, Nearest(2)(np.asarray(picture)))
    with av.open(str(target)) as container:
        assert container.duration == 1_000_000
    # Interrupted and resumed, and of a part.
    options = ConvertOptions(resume="m", span=Span(Fraction(1, 10), Fraction(1, 2)))
    whole = tmp_path / "whole.mp4"
    upscale_video(source, whole, Nearest(2), QUICK, options, quiet=True, say=lambda _: None)
    assert frame_times(whole) == [Fraction(n, 1000) for n in (0, 250, 300)]
    upscale_to_images(source, tmp_path / "f%d.png", Nearest(1), quiet=True, say=lambda _: None)
    np.testing.assert_array_equal(
        np.asarray(Image.open(tmp_path / "f3.png")), np.asarray(pictures[2])
    )
    cut = tmp_path / f"cut{suffix}"
    content = source.read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=r"damaged|cannot be read"):
        upscale_video(cut, tmp_path / "cut.mp4", Nearest(2), QUICK, quiet=True)
    assert not (tmp_path / "cut.mp4").exists()


def test_the_picture_for_programs_without_animations_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.apng"
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    first, *others = (Image.new("RGB", (32, 24), colour) for colour in colours)
    first.save(path, "PNG", save_all=True, append_images=others, default_image=True, duration=100)
    upscale_video(
        path, tmp_path / "a.mkv", Nearest(2), EncoderOptions("ffv1"), quiet=True, say=lambda _: None
    )
    with av.open(str(tmp_path / "a.mkv")) as container:
        made = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert [frame[0, 0].tolist() for frame in made] == [[0, 255, 0], [0, 0, 255]]


def test_what_cannot_be_done_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(3)), tmp_path / "out.gif"
    with pytest.raises(ConfigError, match="is written at once and cannot be resumed"):
        upscale_to_animation(source, target, Nearest(2), ConvertOptions(resume="m"), quiet=True)
    monkeypatch.setattr(animation, "available_memory_bytes", lambda: 100_000)
    with pytest.raises(OutputError, match=r"frame 1 and the following ones take .* --start"):
        upscale_to_animation(source, target, Nearest(2), quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
