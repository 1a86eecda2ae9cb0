"""TIFF of 16 bits in every layout, judged by tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from PIL import Image

from framelift.common.errors import InputError
from framelift.common.images import Picture, Pixels, read_image, read_outline
from framelift.common.images.parts import open_parts

COLOUR = np.random.default_rng(0).integers(0, 65536, (45, 60, 4), np.uint16)
LAYOUTS: list[dict[str, Any]] = [
    {},
    {"compression": "zlib", "rowsperstrip": 7},
    {"compression": "zlib", "predictor": True},
    {"tile": (16, 32), "compression": "zlib"},
    {"byteorder": ">", "rowsperstrip": 10},
]


def written(path: Path, pixels: Pixels, **options: Any) -> Path:  # noqa: ANN401 -- of tifffile
    tifffile.imwrite(path, pixels, photometric="rgb", **options)
    return path


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("in_planes", [False, True])
@pytest.mark.parametrize("channels", [3, 4])
def test_channels_beside_or_behind_each_other(
    tmp_path: Path, layout: dict[str, Any], in_planes: bool, channels: int
) -> None:
    pixels = COLOUR[..., :channels]
    extra: dict[str, Any] = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    if in_planes:
        extra |= {"planarconfig": "separate"}
        pixels = np.moveaxis(pixels, 2, 0)
    path = written(tmp_path / "in.tif", np.ascontiguousarray(pixels), **layout, **extra)
    picture = read_image(path, keep_depth=True, say=print)
    np.testing.assert_array_equal(picture.bgr[..., ::-1], COLOUR[..., :3])
    if channels == 4:
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, COLOUR[..., 3])


@pytest.mark.parametrize("in_planes", [False, True])
def test_colours_that_were_multiplied_by_alpha(tmp_path: Path, in_planes: bool) -> None:
    alpha = np.maximum(COLOUR[..., 3:], 9000).astype(np.uint32)
    multiplied = (COLOUR[..., :3] * alpha + 32767) // 65535
    pixels = np.dstack([multiplied, alpha]).astype(np.uint16)
    options: dict[str, Any] = {"extrasamples": ["assocalpha"]}
    if in_planes:
        pixels, options["planarconfig"] = np.ascontiguousarray(np.moveaxis(pixels, 2, 0)), 2
    path = written(tmp_path / "in.tif", pixels, **options)
    picture = read_image(path, keep_depth=True, say=print)
    assert np.abs(picture.bgr[..., ::-1].astype(int) - COLOUR[..., :3]).max() <= 4
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha, alpha[..., 0])


def test_printing_colours_of_16_bits_become_srgb_of_8(tmp_path: Path) -> None:
    lines: list[str] = []
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, COLOUR, photometric="separated")
    picture = read_image(path, keep_depth=True, say=lines.append)
    assert lines == ["in.tif: its CMYK colours are converted to sRGB of 8 bits"]
    assert picture.bgr.dtype == np.uint16
    assert read_image(path, say=print).bgr.dtype == np.uint8


@pytest.mark.parametrize("compression", ["zstd", "lzma"])
def test_grey_in_compressions_that_only_pillow_has(tmp_path: Path, compression: str) -> None:
    path, grey = tmp_path / "in.tif", np.ascontiguousarray(COLOUR[..., 0])
    Image.fromarray(grey).save(path, compression=compression)
    picture = read_image(path, keep_depth=True, say=print)
    assert picture.is_grey
    np.testing.assert_array_equal(picture.bgr[..., 0], grey)


def test_colours_in_a_compression_that_only_pillow_has_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "in.tif", COLOUR[..., :3], compression="lzma")
    with pytest.raises(InputError, match="16-bit colours with LZMA compression cannot be read; sa"):
        read_image(path, keep_depth=True, say=print)


def test_big_endian_grey_in_such_a_compression(tmp_path: Path) -> None:
    grey = np.ascontiguousarray(COLOUR[..., 0])
    tifffile.imwrite(tmp_path / "in.tif", grey, byteorder=">", compression="lzma")
    picture = read_image(tmp_path / "in.tif", keep_depth=True, say=print)
    np.testing.assert_array_equal(picture.bgr[..., 0], grey)


ROWS, COLUMNS = np.indices((45, 60))
SOURCES = {  # where the upright picture finds each pixel, of the 45×60 that are stored
    1: (ROWS, COLUMNS),
    2: (ROWS, 59 - COLUMNS),
    3: (44 - ROWS, 59 - COLUMNS),
    4: (44 - ROWS, COLUMNS),
    5: (ROWS.T, COLUMNS.T),
    6: (44 - ROWS.T, COLUMNS.T),
    7: (44 - ROWS.T, 59 - COLUMNS.T),
    8: (ROWS.T, 59 - COLUMNS.T),
}
ORIENTED: dict[str, dict[str, Any]] = {
    "grey": {},
    "grey, planes": {"planarconfig": "separate"},
    "grey, lzma": {"compression": "lzma", "byteorder": ">"},
    "rgb": {},
    "rgb, strips": {"compression": "zlib", "rowsperstrip": 7},
    "rgb, tiles": {"tile": (16, 16)},
    "rgb, planes": {"planarconfig": "separate"},
    "rgba": {"extrasamples": ["unassalpha"]},
    "rgba, multiplied": {"extrasamples": ["assocalpha"], "byteorder": ">"},
    "rgba, planes": {"planarconfig": "separate", "extrasamples": ["unassalpha"]},
    "cmyk": {"photometric": "separated"},
}
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="%d"/></x:xmpmeta>'


def turned(stored: Pixels, orientation: int) -> Pixels:
    upright: Pixels = stored[SOURCES[orientation]]
    return upright


def assert_upright(path: Path, stored: Picture, orientation: int) -> None:
    picture = read_image(path, keep_depth=True, say=lambda line: None)
    np.testing.assert_array_equal(picture.bgr, turned(stored.bgr, orientation))
    outline = read_outline(path)
    assert (outline.height, outline.width) == picture.bgr.shape[:2]
    if stored.alpha is not None:
        assert picture.alpha is not None
        np.testing.assert_array_equal(picture.alpha, turned(stored.alpha, orientation))
    if orientation > 1:
        assert open_parts(path, keep_depth=True, part_bytes=300, say=lambda line: None) is None


@pytest.mark.parametrize("kind", ORIENTED)
def test_every_orientation_of_every_layout(tmp_path: Path, kind: str) -> None:
    channels = {"grey": 1, "rgb": 3, "rgba": 4, "cmyk": 4}[kind.split(",")[0]]
    pixels = COLOUR[..., 0] if channels == 1 else COLOUR[..., :channels]
    if "planes" in kind and channels > 1:
        pixels = np.moveaxis(pixels, 2, 0)
    options = {"photometric": "rgb" if channels > 1 else "minisblack", **ORIENTED[kind]}
    path, stored = tmp_path / "in.tif", None
    for orientation in (*SOURCES, 9):
        tags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, np.ascontiguousarray(pixels), extratags=tags, **options)
        if stored is None:
            stored = read_image(path, keep_depth=True, say=lambda line: None)
        assert_upright(path, stored, orientation if orientation < 9 else 1)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "zstd"])
def test_every_orientation_in_other_compressions(tmp_path: Path, compression: str) -> None:
    path, grey = tmp_path / "in.tif", np.ascontiguousarray(COLOUR[..., 0])
    for orientation in SOURCES:
        Image.fromarray(grey).save(path, compression=compression, tiffinfo={274: orientation})
        assert_upright(path, Picture(np.dstack([grey] * 3)), orientation)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("options", [{}, {"planarconfig": "separate"}])
def test_an_orientation_that_only_xmp_has(
    tmp_path: Path, dtype: type[np.unsignedinteger[Any]], options: dict[str, Any]
) -> None:
    pixels = (COLOUR[..., :3] >> 8).astype(dtype)
    stored = np.ascontiguousarray(np.moveaxis(pixels, 2, 0) if options else pixels)
    for orientation in range(1, 9):
        tags = [(700, "B", len(XMP % orientation), XMP % orientation, True)]
        path = written(tmp_path / "in.tif", stored, extratags=tags, **options)
        picture = read_image(path, keep_depth=True, say=print)
        np.testing.assert_array_equal(picture.bgr[..., ::-1], turned(pixels, orientation))
        outline = read_outline(path)
        assert (outline.height, outline.width) == picture.bgr.shape[:2]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize(
    "options", [{}, {"rowsperstrip": 7}, {"tile": (16, 16)}, {"planarconfig": "separate"}]
)
def test_grey_with_white_as_zero(
    tmp_path: Path,
    dtype: type[np.unsignedinteger[Any]],
    compression: str | None,
    byteorder: Literal["<", ">"],
    options: dict[str, Any],
) -> None:
    path, grey = tmp_path / "in.tif", (COLOUR[..., 0] & np.iinfo(dtype).max).astype(dtype)
    kind: dict[str, Any] = {"compression": compression, "byteorder": byteorder, **options}
    tifffile.imwrite(path, grey, photometric="miniswhite", **kind)
    picture = read_image(path, keep_depth=True, say=print)
    assert picture.is_grey
    expected = np.dstack([np.iinfo(dtype).max - grey] * 3)
    np.testing.assert_array_equal(picture.bgr, expected)
    parts = open_parts(path, keep_depth=True, part_bytes=300, say=print)
    assert "rowsperstrip" not in options or parts is not None
    if parts is not None:
        np.testing.assert_array_equal(np.concatenate([part.bgr for part in parts]), expected)


@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
def test_the_reason_does_not_depend_on_the_compression(
    tmp_path: Path, compression: str | None
) -> None:
    path = tmp_path / "in.tif"
    kind: dict[str, Any] = {"compression": compression, "extrasamples": ["unassalpha"]}
    grey_and_alpha = np.ascontiguousarray(COLOUR[..., :2])
    tifffile.imwrite(path, grey_and_alpha, photometric="minisblack", planarconfig=1, **kind)
    with pytest.raises(InputError, match="stores its pixels in a way that is not read; convert"):
        read_image(path, say=print)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        read_image(path, say=print)
