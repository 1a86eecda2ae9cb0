"""TIFF of 16 bits in every layout, judged by tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from framelift.common.errors import InputError
from framelift.common.images import Pixels, read_image

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
