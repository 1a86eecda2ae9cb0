"""Damaged TIFF files end in the usual line or give a picture, never in another error."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from framelift.common.errors import InputError
from framelift.common.images import encode_image, read_image, read_outline
from framelift.common.images.content.metadata import parsed
from framelift.common.images.parts import open_parts

PIXELS = np.random.default_rng(0).integers(0, 65536, (24, 20, 3), np.uint16)
KINDS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 4, "compression": "zlib"},
    "one piece": {},
    "tiles": {"tile": (16, 16)},
    "big": {"bigtiff": True, "rowsperstrip": 4},
    "planes": {"planarconfig": "separate", "rowsperstrip": 4},
    "8 bits": {"rowsperstrip": 4, "compression": "zlib", "predictor": True},
}


def made(path: Path, kind: str) -> tuple[Path, bytearray]:
    pixels = PIXELS // 256 if kind == "8 bits" else PIXELS
    pixels = pixels.astype(np.uint8) if kind == "8 bits" else pixels
    if kind == "planes":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None, **KINDS[kind])
    return path, bytearray(path.read_bytes())


def read_both_ways(path: Path) -> None:
    """Whatever the file is, nothing but `InputError` leaves the readers."""
    with contextlib.suppress(InputError):
        outline = read_outline(path)
        if outline.width * outline.height > 1_000_000:
            return  # what the header says alone would take too much memory for a test
    with contextlib.suppress(InputError):
        list(open_parts(path, keep_depth=True, part_bytes=300, say=lambda line: None) or ())
    with contextlib.suppress(InputError):
        picture = read_image(path, keep_depth=True, say=lambda line: None)
        encode_image(path.with_suffix(".png"), picture, say=lambda line: None)


def entry_at(path: Path, data: bytearray, tag: int) -> int:
    """Where the directory has what it says of a tag."""
    with tifffile.TiffFile(path) as file:
        found: int = file.pages.first.tags[tag].offset
    return found


def test_a_kind_of_number_that_does_not_exist(tmp_path: Path) -> None:
    path, data = made(tmp_path / "in.tif", "strips")
    data[entry_at(path, data, 258) + 2] = 56
    path.write_bytes(data)
    read_both_ways(path)


@pytest.mark.parametrize("kind", ["big", "planes"])
def test_a_place_beyond_the_end(tmp_path: Path, kind: str) -> None:
    path, data = made(tmp_path / "in.tif", kind)
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[273].valueoffset
    data[place : place + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        list(open_parts(path, keep_depth=True, part_bytes=300, say=print) or ())
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        read_image(path, keep_depth=True, say=print)
    read_both_ways(path)


@pytest.mark.filterwarnings("ignore::UserWarning")  # of Pillow
@pytest.mark.parametrize("kind", KINDS)
def test_any_change_of_bytes(tmp_path: Path, kind: str) -> None:
    path, whole = made(tmp_path / "in.tif", kind)
    random_source = random.Random(kind)
    start = min(entry_at(path, whole, 256), len(whole) - 260)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(random_source.randint(1, 2)):
            place = start + random_source.randrange(240)
            data[place] = random_source.choice(
                [0, 1, 16, 56, 127, 255, random_source.randrange(256)]
            )
        path.write_bytes(data)
        read_both_ways(path)


def test_what_a_bigtiff_says_of_the_picture_is_carried(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", bigtiff=True, description="By the sea")
    picture = read_image(path, keep_depth=True, say=print)
    encode_image(tmp_path / "out.png", picture, say=print)
    assert picture.metadata.exif is not None
    assert parsed(picture.metadata.exif)[270] == "By the sea"


def test_libtiff_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path, data = made(tmp_path / "in.tif", "8 bits")
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.dataoffsets[2]
    data[place + 60] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        read_image(path, say=print)
    assert capfd.readouterr() == ("", "")
