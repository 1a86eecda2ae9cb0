"""Animated images: frames, times and transparency, judged by Pillow and FFmpeg."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from framelift.cli.upscale.command import upscale as command
from framelift.common.errors import InputError, OutputError
from framelift.common.images.content.png_chunks import SIGNATURE, chunk
from framelift.runtime import Upscaler
from framelift.runtime.still import make_image
from framelift.runtime.still.gif import in_hundredths

TIMES = [100, 250, 40, 80]


def animation(path: Path, *, transparent: bool = True, loop: int | None = 0) -> Path:
    """A square that wanders over nothing, or over grey, in four frames of different times."""
    frames = []
    for index in range(len(TIMES)):
        pixels = np.zeros((24, 32, 4), np.uint8)
        pixels[..., 3] = 0 if transparent else 255
        pixels[..., :3] = 0 if transparent else 90
        pixels[6:14, 4 + 5 * index : 12 + 5 * index] = 220, 40 * index, 30, 255
        frames.append(Image.fromarray(pixels if transparent else pixels[..., :3].copy()))
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    if path.suffix == ".webp":
        options |= {"lossless": True}
    if path.suffix == ".gif":
        options |= {"disposal": 2}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=TIMES, **options)
    return path


def times_and_frames(path: Path) -> tuple[list[int], list[np.ndarray]]:
    times, frames = [], []
    with Image.open(path) as image:
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            times.append(round(image.info["duration"]))
            frames.append(np.asarray(image.convert("RGBA")))
    return times, frames


@pytest.fixture(scope="module")
def upscaler(nearest_model_path: Path) -> Upscaler:
    return Upscaler.load(nearest_model_path, "onnx-cpu", threads=1)


@pytest.mark.parametrize("before", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("after", [".gif", ".webp", ".png", ".apng"])
@pytest.mark.parametrize("transparent", [False, True])
def test_frames_times_and_transparency_stay(
    tmp_path: Path, upscaler: Upscaler, before: str, after: str, transparent: bool
) -> None:
    source = animation(tmp_path / f"in{before}", transparent=transparent)
    target = tmp_path / f"out{after}"
    notes: list[str] = []
    size = make_image(source, target, upscaler, say=notes.append)
    assert size == (32 * upscaler.scale, 24 * upscaler.scale)
    times, frames = times_and_frames(target)
    assert times == TIMES
    _, small = times_and_frames(source)
    s = upscaler.scale
    for big, frame in zip(frames, small, strict=True):
        middle = big[s // 2 :: s, s // 2 :: s].astype(int)
        seen = frame[..., 3] > 0
        np.testing.assert_array_equal(middle[..., 3] > 127, seen)
        assert np.abs(middle[seen] - frame[seen])[:, :3].mean() < 6
    with Image.open(target) as image:
        assert image.info.get("loop") == 0
    with av.open(str(target)) as container:  # FFmpeg, too
        if after != ".webp":
            assert sum(1 for _ in container.decode(video=0)) == len(TIMES)


def test_times_that_gif_cannot_count_are_rounded_without_drift(
    tmp_path: Path, upscaler: Upscaler
) -> None:
    frames = [Image.new("RGB", (8, 8), (40 * index, 0, 0)) for index in range(6)]
    source, target = tmp_path / "in.webp", tmp_path / "out.gif"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=33, lossless=True)
    notes: list[str] = []
    make_image(source, target, upscaler, say=notes.append)
    assert notes == ["out.gif: .gif counts hundredths of a second; frame times are rounded"]
    assert sum(times_and_frames(target)[0]) == 200


def test_frames_that_are_too_short_for_gif_are_left_out_and_their_time_is_kept(
    tmp_path: Path, upscaler: Upscaler
) -> None:
    frames = [Image.new("RGB", (8, 8), (20 * index, 0, 0)) for index in range(12)]
    source, target = tmp_path / "in.webp", tmp_path / "out.gif"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=4, lossless=True)
    notes: list[str] = []
    make_image(source, target, upscaler, say=notes.append)
    assert times_and_frames(target)[0] == [10] * 5
    assert notes == [
        "out.gif: browsers slow down a .gif of more than 50 frames per second; .webp and .apng "
        "have no such limit",
        "out.gif: .gif counts hundredths of a second; frame times are rounded, and 7 frames left "
        "out that are shorter",
    ]


@pytest.mark.parametrize(
    ("times", "kept", "made"),
    [
        ([0, 0, 0], [0, 1, 2], [0, 0, 0]),
        ([0, 4, 100], [0, 2], [0, 100]),
        ([2, 2], [0], [10]),
        ([100, 4, 8], [0, 2], [100, 10]),
    ],
)
def test_some_frame_stays_and_those_of_no_time_do(
    times: list[int], kept: list[int], made: list[int]
) -> None:
    assert in_hundredths(times) == (kept, made)


def test_a_gif_that_is_played_once_stays_so(tmp_path: Path, upscaler: Upscaler) -> None:
    source = animation(tmp_path / "in.gif", loop=None)
    make_image(source, tmp_path / "out.gif", upscaler, say=print)
    make_image(source, tmp_path / "out.webp", upscaler, say=print)
    with Image.open(tmp_path / "out.gif") as image:
        assert "loop" not in image.info
    with Image.open(tmp_path / "out.webp") as image:
        assert image.info["loop"] == 1


def test_a_damaged_frame_is_one_line_and_leaves_nothing(tmp_path: Path, upscaler: Upscaler) -> None:
    source = animation(tmp_path / "in.webp", transparent=False)
    data = bytearray(source.read_bytes())
    with Image.open(io.BytesIO(bytes(data))) as image:
        assert image.n_frames == 4  # type: ignore[attr-defined]
    last = data.rindex(b"VP8L")
    data[last + 8 : last + 40] = bytes(32)
    source.write_bytes(data)
    with pytest.raises(
        InputError, match=r"in.webp: (frame 4 of 4 is damaged|cannot be read as an image)"
    ):
        make_image(source, tmp_path / "out.gif", upscaler, say=print)
    assert not (tmp_path / "out.gif").exists()


def test_the_command_keeps_a_gif_or_makes_a_video_of_it(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    animation(folder / "a.gif", transparent=False)
    options = ["--model", str(nearest_model_path), "--backend", "onnx-cpu", "-q"]
    runner = CliRunner()
    for arguments in (["in", "out"], ["in/a.gif", "a.webp"], ["in/a.gif", "a.mp4"]):
        paths = [str(tmp_path / name) for name in arguments]
        assert runner.invoke(command, [*paths, *options]).exit_code == 0
    assert times_and_frames(tmp_path / "out" / "a.gif")[0] == TIMES
    assert times_and_frames(tmp_path / "a.webp")[0] == TIMES
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == len(TIMES)


def test_an_apng_of_16_bits_is_reduced_with_a_line(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (2, 24, 32, 3), np.uint16)
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 24, 16, 2, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", 2, 0))
    for number, frame in enumerate(pixels):
        lines = frame.astype(">u2").view(np.uint8).reshape(24, -1)
        stored = zlib.compress(np.insert(lines, 0, 0, 1).tobytes())
        place = struct.pack(">IIIIIHHBB", max(0, 2 * number - 1), 32, 24, 0, 0, 1, 10, 0, 0)
        data += chunk(b"fcTL", place)
        sequence = struct.pack(">I", 2 * number)
        data += chunk(b"fdAT", sequence + stored) if number else chunk(b"IDAT", stored)
    (tmp_path / "in.png").write_bytes(data + chunk(b"IEND", b""))
    notes: list[str] = []
    with Upscaler.load("realtime-nano-x2", "onnx-cpu", threads=1) as upscale:
        make_image(tmp_path / "in.png", tmp_path / "out.png", upscale, say=notes.append)
    assert notes == ["in.png: 16 bits per channel are reduced to 8, as in every animation"]
    with PngImageFile(tmp_path / "out.png") as image:
        assert (image.n_frames, image.size) == (2, (64, 48))


def test_frames_too_large_for_the_format_are_refused_before_the_work(
    tmp_path: Path, upscaler: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.gif"
    still = Image.new("L", (9000, 4))
    still.save(source, save_all=True, append_images=[Image.new("L", (9000, 4), 255)], duration=100)
    monkeypatch.setattr("framelift.runtime.still.animation.upscale_picture", None)
    with pytest.raises(OutputError, match=r"36000×16 pixels are too many for .webp; use .png"):
        make_image(source, tmp_path / "out.webp", upscaler, say=print)
    assert [path.name for path in tmp_path.iterdir()] == ["in.gif"]
