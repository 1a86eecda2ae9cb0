"""AVIF, HEIC and JPEG XL of more than 8 bits, by the word of FFmpeg and the formats' tools."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from framelift.common.errors import InputError
from framelift.common.images import Picture, encode_image, read_image, read_outline
from framelift.runtime import Upscaler
from framelift.runtime.still import ImageOptions
from framelift.runtime.still.make import make_image

Deep = NDArray[Any]
PQ = ((b"cICP", bytes([9, 16, 0, 1])),)


@pytest.fixture(scope="module")
def upscaler() -> Iterator[Upscaler]:
    with Upscaler.load("realtime-nano-x2", "onnx-cpu", say=lambda line: None) as loaded:
        yield loaded


def _ramp(bits: int) -> Deep:
    """Levels of so many bits, each smoothly beside the next; BGR."""
    row = np.linspace(0, (1 << bits) - 1, 256).round().astype(np.uint16)
    grey = np.repeat(row[None], 96, 0)
    return np.dstack([grey, grey[:, ::-1], (grey + grey[:, ::-1]) // 2])


def _avif(path: Path, pixels: Deep, bits: int, quality: int = 100) -> Path:
    """Written by OpenCV; with quality 100 nothing is lost."""
    settings = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, quality]
    assert cv2.imwrite(str(path), pixels, settings)
    return path


def _heic(path: Path, pixels: Deep, bits: int) -> Path:
    """Written by pillow-heif, with the coding of RGB as it is."""
    pillow_heif = pytest.importorskip("pillow_heif")
    height, width, _ = pixels.shape
    file = pillow_heif.from_bytes("BGR;16", (width, height), (pixels << (16 - bits)).tobytes())
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    file.save(path, quality=-1, chroma="444", matrix_coefficients=0)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = False
    return path


def _make(source: Path, target: Path, upscaler: Upscaler) -> list[str]:
    notes: list[str] = []
    make_image(source, target, upscaler, ImageOptions(), say=notes.append)
    return notes


def _by_its_own_tool(path: Path, tmp_path: Path) -> Deep:
    """The pixels of an AVIF or HEIC file, by the tool of libavif or libheif."""
    tool = "avifdec" if path.suffix == ".avif" else "heif-convert"
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    out = tmp_path / f"{path.name}.judge.png"
    deep = ["-d", "16"] if tool == "avifdec" else []
    subprocess.run([tool, *deep, str(path), str(out)], check=True, capture_output=True)
    pixels = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.dtype == np.uint16
    return pixels


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_levels_are_read(tmp_path: Path, suffix: str, bits: int) -> None:
    pixels, path = _ramp(bits), tmp_path / f"in{suffix}"
    (_avif if suffix == ".avif" else _heic)(path, pixels, bits)
    assert read_outline(path).bits == bits
    notes: list[str] = []
    picture = read_image(path, keep_depth=True, say=notes.append)
    assert notes == []
    most = (1 << bits) - 1
    assert picture.depth == bits
    assert np.array_equal(picture.bgr, (pixels.astype(np.uint32) * 65535 + most // 2) // most)
    small = read_image(path, say=notes.append)
    assert notes == [f"in{suffix}: {bits} bits per channel are reduced to 8"]
    assert np.abs(small.bgr - pixels * 255.0 / most).max() <= 0.51


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_the_tool_of_the_format_reads_the_same(tmp_path: Path, suffix: str) -> None:
    pixels, path = _ramp(10), tmp_path / f"in{suffix}"
    (_avif if suffix == ".avif" else _heic)(path, pixels, 10)
    picture = read_image(path, keep_depth=True, say=print)
    judged = _by_its_own_tool(path, tmp_path)
    assert np.abs(judged.astype(int) - picture.bgr).max() < 64  # how 10 bits fill 16 differs


@pytest.mark.skipif("FRAMELIFT_HEIF_SAMPLES" not in os.environ, reason="names no folder of samples")
@pytest.mark.parametrize(
    ("name", "bits"),
    [
        ("heif_other/cat.hif", 10),  # of a Sony camera, 4:2:2
        ("heif/RGB_10__29x100.heif", 10),
        ("heif/RGBA_12__29x100.heif", 12),
        ("heif/L_10__29x100.heif", 10),
    ],
)
def test_pictures_of_others(tmp_path: Path, name: str, bits: int) -> None:
    """FRAMELIFT_HEIF_SAMPLES is `tests/images` of pillow-heif's source distribution, unpacked."""
    pytest.importorskip("pillow_heif")
    path = Path(os.environ["FRAMELIFT_HEIF_SAMPLES"]) / name
    picture = read_image(path, keep_depth=True, say=print)
    assert picture.depth == bits
    judged = _by_its_own_tool(path, tmp_path)
    colours = judged[..., None] if judged.ndim == 2 else judged[..., :3]
    assert np.abs(colours.astype(int) - picture.bgr).max() < 64
    assert picture.is_grey == ("L_10" in name)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_depth_comes_through(tmp_path: Path, upscaler: Upscaler, suffix: str, bits: int) -> None:
    source, target = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    (_avif if suffix == ".avif" else _heic)(source, _ramp(bits), bits)
    assert _make(source, target, upscaler) == []
    expected = upscaler(read_image(source, keep_depth=True, say=print).bgr)
    got = _by_its_own_tool(target, tmp_path)
    assert got.shape == (192, 512, 3)
    difference = np.abs(got.astype(int) - expected)
    assert difference.mean() < 257  # of 65,535, with quality 90
    assert len(np.unique(got[96, :, 1])) > 256  # as 8 bits could not have
    if suffix == ".avif":
        with av.open(str(target)) as container:
            assert next(container.decode(video=0)).format.name == f"yuv420p{bits}le"
    else:
        assert read_outline(target).bits == bits


def test_avif_to_png_and_back(tmp_path: Path, upscaler: Upscaler) -> None:
    source = _avif(tmp_path / "in.avif", _ramp(10), 10)
    assert _make(source, tmp_path / "out.png", upscaler) == []
    big = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert big is not None
    expected = upscaler(read_image(source, keep_depth=True, say=print).bgr)
    assert np.array_equal(big, expected)
    notes = _make(tmp_path / "out.png", tmp_path / "again.avif", upscaler)
    assert notes == ["again.avif: 16 bits per channel become 12; use .png to keep all"]
    assert _make(source, tmp_path / "out.jpg", upscaler) == [
        "in.avif: 10 bits per channel are reduced to 8"
    ]


def test_transparency_and_metadata_come_through(tmp_path: Path, upscaler: Upscaler) -> None:
    alpha = np.repeat(np.linspace(0, 1023, 256).astype(np.uint16)[None], 96, 0)
    source = _avif(tmp_path / "in.avif", np.dstack([_ramp(10), alpha]), 10)
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    kinds = [cv2.IMAGE_METADATA_EXIF, cv2.IMAGE_METADATA_XMP]
    blocks = [exif.tobytes()[6:], b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"]
    written, data = cv2.imencodeWithMetadata(
        ".avif",
        np.dstack([_ramp(10), alpha]),
        kinds,
        [np.frombuffer(block, np.uint8) for block in blocks],
        [cv2.IMWRITE_AVIF_DEPTH, 10, cv2.IMWRITE_AVIF_QUALITY, 100],
    )
    assert written
    source.write_bytes(data.tobytes())
    assert _make(source, tmp_path / "out.avif", upscaler) == []
    with Image.open(tmp_path / "out.avif") as seen:
        assert seen.mode == "RGBA"
        assert seen.getexif()[0x010F] == "Maker"
        assert b"adobe:ns:meta" in seen.info["xmp"]
    judged = _by_its_own_tool(tmp_path / "out.avif", tmp_path)
    assert np.abs(judged[96, ::2, 3] - alpha[48] * 65535.0 / 1023).max() < 1500


@pytest.mark.parametrize("suffix", [".avif", ".heic", ".png"])
def test_what_colours_mean_comes_through(tmp_path: Path, upscaler: Upscaler, suffix: str) -> None:
    """PQ of BT.2020, by FFmpeg's word where it reads the format."""
    pixels = _ramp(16)
    source, target = tmp_path / "in.avif", tmp_path / f"out{suffix}"
    source.write_bytes(encode_image(source, Picture(pixels, depth=10, colour_chunks=PQ), say=print))
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    assert _make(source, target, upscaler) == []
    if suffix != ".heic":
        with av.open(str(target)) as container:
            frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc) == (9, 16)
    again = read_image(target, keep_depth=True, say=print)
    assert again.colour_chunks == PQ
    notes = _make(source, tmp_path / "out.jpg", upscaler)
    assert any("the colour information of the source (cICP) is left out" in line for line in notes)


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_what_colours_of_8_bits_mean_comes_through(tmp_path: Path, suffix: str) -> None:
    """Display P3, as phones write it without a profile."""
    if suffix == ".heic":
        pytest.importorskip("pillow_heif")
    p3 = ((b"cICP", bytes([12, 13, 0, 1])),)
    path = tmp_path / f"in{suffix}"
    pixels = (_ramp(16) >> 8).astype(np.uint8)
    notes: list[str] = []
    path.write_bytes(encode_image(path, Picture(pixels, colour_chunks=p3), say=notes.append))
    assert read_image(path, say=notes.append).colour_chunks == p3
    assert notes == []
    if suffix == ".avif":
        with av.open(str(path)) as container:
            frame = next(container.decode(video=0))
        assert (frame.color_primaries, frame.color_trc, frame.format.name) == (12, 13, "yuv420p")


@pytest.mark.parametrize("turn", [["--irot", "1"], ["--imir", "1"], ["--irot", "3"]])
def test_pixels_are_upright(tmp_path: Path, turn: list[str]) -> None:
    if shutil.which("avifenc") is None:
        pytest.skip("avifenc is not installed")
    pixels = np.dstack([_ramp(16)[..., :2], np.repeat(np.arange(96)[:, None] * 600, 256, 1)])
    assert cv2.imwrite(str(tmp_path / "in.png"), pixels.astype(np.uint16))
    path = tmp_path / "turned.avif"
    command = ["avifenc", "-d", "10", "--lossless", *turn, str(tmp_path / "in.png"), str(path)]
    subprocess.run(command, check=True, capture_output=True)
    picture = read_image(path, keep_depth=True, say=print)
    with Image.open(path) as seen:
        upright = np.asarray(ImageOps.exif_transpose(seen).convert("RGB"))[..., ::-1]
    assert picture.depth == 10
    assert picture.bgr.shape == upright.shape
    assert np.abs(picture.bgr / 257 - upright).max() < 1


@pytest.mark.parametrize("suffix", [".avif", ".heic"])
def test_a_damaged_file_is_one_line(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    (_avif if suffix == ".avif" else _heic)(path, _ramp(10), 10)
    data = path.read_bytes()
    path.write_bytes(data[:-200])
    with pytest.raises(InputError, match=r"cannot be read as an image, or is damaged"):
        read_image(path, keep_depth=True, say=print)


def test_jpeg_xl_says_what_its_plug_in_leaves_out(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    if shutil.which("cjxl") is None:
        pytest.skip("cjxl is not installed")
    colours, grey = _ramp(16), _ramp(16)[..., 0]
    for name, pixels in (("colours", colours), ("grey", grey)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
        command = ["cjxl", "-d", "0", f"{tmp_path}/{name}.png", f"{tmp_path}/{name}.jxl"]
        subprocess.run(command, check=True, capture_output=True)
    notes: list[str] = []
    picture = read_image(tmp_path / "colours.jxl", keep_depth=True, say=notes.append)
    assert picture.bgr.dtype == np.uint8
    assert notes == ["colours.jxl: 16 bits per channel are read as 8; convert it to PNG first"]
    deep = read_image(tmp_path / "grey.jxl", keep_depth=True, say=notes.append)
    assert np.array_equal(deep.bgr, np.repeat(grey[..., None], 3, 2))
    out = io.BytesIO()
    Image.fromarray((colours >> 8).astype(np.uint8)).save(out, "JXL")
    (tmp_path / "plain.jxl").write_bytes(out.getvalue())
    read_image(tmp_path / "plain.jxl", keep_depth=True, say=notes.append)
    assert len(notes) == 1
