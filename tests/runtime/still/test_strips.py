"""Large pictures in strips: the same as at once, in bounded memory, and said beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from framelift.common import progress as common_progress
from framelift.common.errors import BackendError, InputError
from framelift.common.images import Picture, Pixels
from framelift.common.images.content.picture import Metadata
from framelift.common.images.formats.png_writer import PngWriter
from framelift.common.images.formats.tiff_writer import TiffWriter
from framelift.common.images.parts import image_parts, open_parts
from framelift.runtime import Upscaler
from framelift.runtime.still import ImageOptions, StripUpscaler, make_image, needs, progress
from framelift.runtime.still.strips import StripSizes

MODEL = "realtime-nano-x4-int8"


def photo(height: int, width: int, channels: int = 3) -> Pixels:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 1.5).reshape(noise.shape).astype(np.uint8)


SMALL = StripSizes(64 * 64, 1)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "LA"])
def test_strips_equal_the_whole(tmp_path: Path, kind: str, suffix: str) -> None:
    source = tmp_path / "in.png"
    pixels = photo(131, 157, len(kind))
    Image.fromarray(pixels if len(kind) > 1 else pixels[..., 0]).save(source)
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        make_image(source, tmp_path / f"whole{suffix}", upscale, say=print)
        plan = StripUpscaler(upscale, sizes=SMALL).plan(131, 157)
        assert plan is not None
        assert len(plan.rows) > 2
        assert len(plan.columns) > 1
        cut_up = ImageOptions(strips=SMALL)
        make_image(source, tmp_path / f"strips{suffix}", upscale, cut_up, say=print)
    whole, cut = (Image.open(tmp_path / f"{name}{suffix}") for name in ("whole", "strips"))
    assert (cut.mode, cut.size) == (kind, (4 * 157, 4 * 131))
    assert np.abs(np.asarray(whole).astype(int) - np.asarray(cut)).max() <= 1
    whole.close()
    cut.close()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "LA"])
def test_a_file_that_is_read_in_strips_gives_the_same(
    tmp_path: Path, kind: str, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_parts, "PART_BYTES", 2000)
    source = tmp_path / f"in{suffix}"
    pixels = photo(131, 157, len(kind))
    if kind in ("RGBA", "LA"):
        pixels[30:70, 20:90] = [0, 255, 99, 0][-len(kind) :]  # hidden colours
    Image.fromarray(pixels if len(kind) > 1 else pixels[..., 0]).save(source, strip_size=2000)
    made = []
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        for parts_pixels in (1, 1 << 30):
            options = ImageOptions(strips=SMALL, parts_pixels=parts_pixels)
            target = tmp_path / f"{parts_pixels}{suffix}"
            make_image(source, target, upscale, options, say=print)
            with Image.open(target) as result:
                assert result.mode == kind
                made.append(np.asarray(result).reshape(4 * 131, 4 * 157, -1))
    if kind in ("RGBA", "LA"):
        made = [np.where(pixels[..., -1:] == 0, 0, pixels) for pixels in made]
    np.testing.assert_array_equal(made[0], made[1])


def test_strips_that_have_nothing_of_the_picture_end_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    smooth = cv2.resize(photo(8, 8), (157, 131), interpolation=cv2.INTER_CUBIC)
    smooth[:40] = 128  # the first tiles show nothing to judge by
    Image.fromarray(smooth).save(tmp_path / "in.png")
    run = Upscaler.__call__

    def black(self: Upscaler, frame: Pixels, *args: Any, **kwargs: Any) -> Pixels:  # noqa: ANN401
        return np.zeros_like(run(self, frame, *args, **kwargs))

    monkeypatch.setattr(Upscaler, "__call__", black)
    with (
        Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale,
        pytest.raises(BackendError, match="its output does not resemble the input, it is black"),
    ):
        make_image(
            tmp_path / "in.png",
            tmp_path / "out.png",
            upscale,
            ImageOptions(strips=SMALL),
            say=print,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_the_time_left_is_that_of_the_tiles_behind_the_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    for module in (progress, common_progress):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    shown = progress.PictureProgress("a.png")
    for done, seconds in ((1, 8.0), (2, 0.5), (3, 0.5), (25, 11.0)):
        now[0] += seconds
        shown(done, 100)
    slow = progress.PictureProgress("b.png")
    now[0] += 20
    slow(1, 10)
    assert capsys.readouterr().err.splitlines() == [
        "a.png: 2/100 tiles, about 49 s left",
        "a.png: 25/100 tiles, about 38 s left",
        "b.png: 1/10 tiles, about 3 min left",
    ]


def test_the_time_of_reading_is_not_that_of_the_first_tile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    for module in (progress, common_progress):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])
    monkeypatch.setattr(image_parts, "PART_BYTES", 2000)
    Image.fromarray(photo(131, 157)).save(tmp_path / "in.png")
    reading_seconds = iter([9000.0, 0.0])  # before the work, and during it
    run, read = Upscaler.__call__, image_parts.ImageParts.__iter__

    def slow(self: Upscaler, frame: Pixels, *args: Any, **kwargs: Any) -> Pixels:  # noqa: ANN401
        now[0] += 1
        return run(self, frame, *args, **kwargs)

    def slower(self: image_parts.ImageParts) -> Iterator[Picture]:
        now[0] += next(reading_seconds)
        yield from read(self)

    monkeypatch.setattr(Upscaler, "__call__", slow)
    monkeypatch.setattr(image_parts.ImageParts, "__iter__", slower)
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        options = ImageOptions(strips=SMALL, parts_pixels=1)
        source, target = tmp_path / "in.png", tmp_path / "out.png"
        make_image(source, target, upscale, options, quiet=False, say=print)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1:] == ["in.png: 2/9 tiles, about 7 s left"]


def test_grey_tiles_of_a_coloured_picture_agree_with_their_neighbours(tmp_path: Path) -> None:
    pixels = np.repeat(photo(131, 157, 1), 3, 2)
    pixels[-1, -1] = 255, 0, 0
    Image.fromarray(pixels).save(tmp_path / "in.png")
    with Upscaler.load("realtime-small-x4-video-int8", "onnx-cpu", threads=1) as upscale:
        options = ImageOptions(strips=SMALL)
        make_image(tmp_path / "in.png", tmp_path / "out.png", upscale, options, say=print)
        expected = upscale(np.ascontiguousarray(pixels[..., ::-1]))[..., ::-1]
    with Image.open(tmp_path / "out.png") as result:
        assert np.abs(np.asarray(result).astype(int) - expected).max() <= 1


def test_tall_strips_of_a_file_count_in_the_memory_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[int] = []
    monkeypatch.setattr(image_parts, "PART_BYTES", 2000)
    monkeypatch.setattr(needs.Needs, "check", lambda self, *_: said.append(self.memory_bytes))
    strips = SMALL._replace(reading_bytes=0)
    options = ImageOptions(overwrite=True, strips=strips, parts_pixels=1)
    path, row = tmp_path / "in", 3 * 157
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        for suffix, rows in ((".tif", 100), (".tif", 4), (".png", 4)):
            source = path.with_suffix(suffix)
            Image.fromarray(photo(131, 157)).save(
                source, compression="tiff_deflate", strip_size=rows * row
            )
            parts = open_parts(source, keep_depth=False, say=print)
            assert parts is not None
            assert max(len(part.bgr) for part in parts) == parts.files.part_rows == rows
            make_image(source, tmp_path / "out.png", upscale, options, say=print)
    tall, low, png = said
    assert low == png
    assert tall - low == 96 * 157 * 20


def test_another_size_and_other_formats_are_made_of_strips_too(tmp_path: Path) -> None:
    Image.fromarray(photo(131, 157)).save(tmp_path / "in.png")
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        options = ImageOptions(strips=SMALL)
        size = make_image(tmp_path / "in.png", tmp_path / "a.webp", upscale, options, say=print)
    assert size == (628, 524)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("big", [False, True])
def test_writers_give_what_they_took(tmp_path: Path, channels: int, big: bool) -> None:
    pixels = photo(700, 611, channels)
    png, tiff = tmp_path / "a.png", tmp_path / "a.tif"
    with png.open("wb") as file, tiff.open("wb") as other:
        first = PngWriter(file, 611, 700, channels)
        second = TiffWriter(other, 611, 700, channels, Metadata(), None, is_big=big)
        for start, stop in itertools.pairwise((0, 1, 100, 699, 700)):
            for writer in (first, second):
                writer.write(pixels[start:stop])
        first.close()
        second.close()
    for path in (png, tiff):
        with Image.open(path) as result:
            np.testing.assert_array_equal(np.asarray(result).reshape(pixels.shape), pixels)


def test_a_large_picture_is_announced_and_one_too_large_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(photo(20, 30)).save(source)
    lines: list[str] = []
    options = ImageOptions(overwrite=True, inform=lines.append, large_pixels=9600)
    with Upscaler.load(MODEL, "onnx-cpu", threads=1) as upscale:
        make_image(source, tmp_path / "out.png", upscale, options, say=print)
        (line,) = lines
        assert line.startswith("in.png: 30×20 becomes 120×80, 0.0 GB of pixels; this takes about")
        monkeypatch.setattr(needs, "available_memory_bytes", lambda: 1000)
        with pytest.raises(InputError, match=r"in.png: as .jpg, 30×20 ×4 takes about .* are free"):
            make_image(source, tmp_path / "out.jpg", upscale, options, say=print)
    assert not (tmp_path / "out.jpg").exists()
