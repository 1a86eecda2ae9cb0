"""Pictures of 16 bits per channel keep them: read, upscaled and written, by other readers' word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from framelift.runtime import Upscaler
from framelift.runtime.still import ImageOptions
from framelift.runtime.still.make import make_image
from framelift.runtime.still.strips import StripSizes, StripUpscaler

Deep = NDArray[Any]


@pytest.fixture(scope="module")
def upscaler() -> Iterator[Upscaler]:
    with Upscaler.load(
        "realtime-nano-x2", "onnx-cpu", cpu_model="realtime-nano-x2-int8", say=lambda line: None
    ) as loaded:
        yield loaded


def _gradient(height: int = 256, width: int = 256) -> Deep:
    """Every one of 65,536 levels once, in rows that go to and fro; BGR."""
    levels = np.linspace(0, 65535, height * width).round().astype(np.uint16).reshape(height, width)
    levels[1::2] = levels[1::2, ::-1].copy()
    return np.dstack([levels] * 3)


def _coloured(height: int = 40, width: int = 50, channels: int = 3) -> Deep:
    small = np.random.default_rng(3).integers(0, 65536, (6, 7, channels)).astype(np.uint16)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _make(
    source: Path, target: Path, upscaler: Upscaler, options: ImageOptions | None = None
) -> list[str]:
    notes: list[str] = []
    make_image(source, target, upscaler, options or ImageOptions(), say=notes.append)
    return notes


def _by_ffmpeg(path: Path, name: str) -> Deep:
    """The pixels by FFmpeg's decoder, which must call them `name`."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == name
    return frame.to_ndarray()


def _by_opencv(path: Path) -> Deep:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_gradient_keeps_its_levels(tmp_path: Path, upscaler: Upscaler, suffix: str) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    grey = _gradient()[..., 0]
    assert cv2.imwrite(str(source), grey)
    assert _make(source, target, upscaler) == []
    name = "gray16be" if suffix == ".png" else "gray16le"
    big = _by_ffmpeg(target, name)
    assert big.shape == (512, 512)
    assert len(np.unique(big)) > 10_000
    wanted = cv2.resize(grey, (512, 512), interpolation=cv2.INTER_CUBIC)
    assert np.abs(big.astype(int) - wanted)[8:-8, 8:-8].mean() < 200
    again = _by_opencv(target)
    assert np.array_equal(again, big)


@pytest.mark.parametrize(("suffix", "name"), [(".png", "rgb48be"), (".tif", "rgb48le")])
def test_colours_are_those_of_the_upscaler(
    tmp_path: Path, upscaler: Upscaler, suffix: str, name: str
) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    picture = _coloured()
    assert cv2.imwrite(str(source), picture)
    assert _make(source, target, upscaler) == []
    expected = upscaler(picture)
    assert expected.dtype == np.uint16
    assert np.array_equal(_by_ffmpeg(target, name)[..., ::-1], expected)
    with Image.open(target) as seen:
        assert seen.size == (100, 80)


@pytest.mark.parametrize(("suffix", "name"), [(".png", "rgba64be"), (".tif", "rgba64le")])
def test_transparency_keeps_its_depth(
    tmp_path: Path, upscaler: Upscaler, suffix: str, name: str
) -> None:
    source, target = tmp_path / "in.png", tmp_path / f"out{suffix}"
    picture = _coloured(channels=4)
    picture[..., 3] = np.linspace(0, 65535, 50).round()
    assert cv2.imwrite(str(source), picture)
    assert _make(source, target, upscaler) == []
    alpha = _by_ffmpeg(target, name)[..., 3]
    assert len(np.unique(alpha[40])) > 90
    ramp = np.linspace(0, 65535, 50)[np.arange(100) // 2]
    assert np.abs(alpha[40].astype(int) - ramp).max() < 1500


def test_large_pictures_are_made_in_strips_of_16_bits(tmp_path: Path, upscaler: Upscaler) -> None:
    picture = _coloured(200, 150)
    source = tmp_path / "in.png"
    assert cv2.imwrite(str(source), picture)
    expected = upscaler(picture)
    sizes = StripSizes(64 * 70)
    assert StripUpscaler(upscaler.at_depth(16), sizes=sizes).plan(200, 150) is not None
    for name in ("out.png", "out.tif"):
        assert _make(source, tmp_path / name, upscaler, ImageOptions(strips=sizes)) == []
        got = _by_opencv(tmp_path / name)
        assert np.abs(got.astype(int) - expected).max() <= 1


def test_formats_of_8_bits_say_so(tmp_path: Path, upscaler: Upscaler) -> None:
    source = tmp_path / "in.png"
    assert cv2.imwrite(str(source), _coloured())
    notes = _make(source, tmp_path / "out.jpg", upscaler)
    assert notes == ["in.png: 16 bits per channel are reduced to 8"]


def test_int8_says_so(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    assert cv2.imwrite(str(source), _coloured())
    with Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as int8:
        notes = _make(source, tmp_path / "out.png", int8)
    assert notes == ["in.png: 16 bits per channel are reduced to 8"]
    assert _by_ffmpeg(tmp_path / "out.png", "rgb24").dtype == np.uint8
