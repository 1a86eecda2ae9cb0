"""PNG and TIFF in parts: the same pixels as of the whole, in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from framelift.common.errors import InputError
from framelift.common.images import Pixels, read_image
from framelift.common.images.content.png_chunks import chunk
from framelift.common.images.formats.png_writer import PngWriter
from framelift.common.images.parts import open_parts

WIDTH, HEIGHT, PART_BYTES = 157, 131, 2000


def photo(channels: int, dtype: type[np.unsignedinteger] = np.uint8) -> Pixels:
    noise = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (HEIGHT, WIDTH, channels))
    smooth = cv2.GaussianBlur(noise.astype(dtype), (0, 0), 1.5).reshape(noise.shape)
    return smooth if channels > 1 else smooth[..., 0]


def pictures() -> dict[str, Image.Image]:
    colour = Image.fromarray(photo(3))
    return {
        "L": Image.fromarray(photo(1)),
        "LA": Image.fromarray(photo(2), "LA"),
        "RGB": colour,
        "RGBA": Image.fromarray(photo(4)),
        "1": Image.fromarray(photo(1)).convert("1"),
        "P": colour.quantize(200),
        "P of 4 bits": colour.quantize(13),
        "I;16": Image.fromarray(photo(1, np.uint16)),
        "CMYK": colour.convert("CMYK"),
    }


def compare(path: Path, *, keep_depth: bool = True) -> None:
    """Assert that the parts are several, and the same as the whole."""
    lines: list[str] = []
    others: list[str] = []
    whole = read_image(path, keep_depth=keep_depth, say=lines.append)
    parts = open_parts(path, keep_depth=keep_depth, part_bytes=PART_BYTES, say=others.append)
    assert parts is not None, path
    assert (parts.width, parts.height) == (WIDTH, HEIGHT)
    found = list(parts)
    assert len(found) > 1
    assert others == lines
    bgr = np.concatenate([part.bgr for part in found])
    assert bgr.dtype == whole.bgr.dtype
    np.testing.assert_array_equal(bgr, whole.bgr)
    for part in found:
        assert (part.is_grey, part.depth) == (whole.is_grey, whole.depth)
        assert (part.icc_profile, part.metadata) == (whole.icc_profile, whole.metadata)
        assert part.colour_chunks == whole.colour_chunks
    alphas = [part.alpha for part in found if part.alpha is not None]
    if whole.alpha is None:
        assert all(alpha.min() == np.iinfo(alpha.dtype).max for alpha in alphas)
    else:
        np.testing.assert_array_equal(np.concatenate(alphas), whole.alpha)


@pytest.mark.parametrize("mode", [name for name in pictures() if name not in ("1", "CMYK")])
@pytest.mark.parametrize("keep_depth", [False, True])
def test_every_kind_of_png(tmp_path: Path, mode: str, keep_depth: bool) -> None:
    path = tmp_path / "in.png"
    exif = Image.Exif()
    exif[271] = "Camera"
    pictures()[mode].save(path, dpi=(300, 300), exif=exif, icc_profile=b"profile " * 9)
    compare(path, keep_depth=keep_depth)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("keep_depth", [False, True])
def test_16_bits(tmp_path: Path, channels: int, suffix: str, keep_depth: bool) -> None:
    path = tmp_path / f"in{suffix}"
    cv2.imwrite(str(path), photo(channels, np.uint16))
    compare(path, keep_depth=keep_depth)


def test_transparency_beside_the_pixels(tmp_path: Path) -> None:
    path = tmp_path / "in.png"
    pictures()["P"].save(path, transparency=bytes(range(200)))
    compare(path)
    pictures()["RGB"].save(path, transparency=tuple(int(value) for value in photo(3)[60, 60]))
    compare(path)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg"])
@pytest.mark.parametrize("mode", pictures())
def test_every_kind_of_tiff(tmp_path: Path, mode: str, compression: str | None) -> None:
    if compression == "jpeg" and mode not in ("L", "RGB", "CMYK"):
        pytest.skip("TIFF has no such JPEG")
    path = tmp_path / "in.tif"
    pictures()[mode].save(path, compression=compression, strip_size=2000)
    compare(path)


@pytest.mark.parametrize("options", [{"bigtiff": True}, {"tile": (32, 48)}, {"planarconfig": 2}])
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff_of_other_layouts(
    tmp_path: Path, options: dict[str, Any], byteorder: Literal["<", ">"], compression: str | None
) -> None:
    if "bigtiff" in options and byteorder == ">":
        pytest.skip("Pillow does not read it")
    path, pixels = tmp_path / "in.tif", photo(3)
    if "planarconfig" in options:
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    tifffile.imwrite(
        path,
        pixels,
        photometric="rgb",
        compression=compression,
        byteorder=byteorder,
        **{"rowsperstrip": None if "tile" in options else 7, **options},
    )
    compare(path)


def test_a_tiff_that_is_not_compressed_need_not_be_cut_up(tmp_path: Path) -> None:
    path = tmp_path / "in.tif"
    pictures()["RGB"].save(path, strip_size=1 << 20)
    compare(path)
    pictures()["RGB"].save(path, strip_size=1 << 20, compression="tiff_deflate")
    assert open_parts(path, keep_depth=True, part_bytes=PART_BYTES, say=print) is None


def test_what_lies_in_another_order_is_left_to_the_reader_of_wholes(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[274] = 6
    for name in ("turned.png", "turned.tif"):
        pictures()["RGB"].save(tmp_path / name, exif=turned)
        assert open_parts(tmp_path / name, keep_depth=True, say=print) is None
    pictures()["RGB"].save(tmp_path / "in.jpg")
    assert open_parts(tmp_path / "in.jpg", keep_depth=True, say=print) is None
    pictures()["RGB"].save(tmp_path / "in.png")
    data = (tmp_path / "in.png").read_bytes()
    header = data[16:28] + b"\1"  # says that it is interlaced
    interlaced = data[:8] + chunk(b"IHDR", header) + data[33:]
    (tmp_path / "in.png").write_bytes(interlaced)
    assert open_parts(tmp_path / "in.png", keep_depth=True, say=print) is None


@pytest.mark.parametrize("place", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_damage_is_found(tmp_path: Path, suffix: str, place: float) -> None:
    path = tmp_path / f"in{suffix}"
    pictures()["RGB"].save(path, compression="tiff_adobe_deflate", strip_size=2000)
    data = bytearray(path.read_bytes())
    start, stop = (60, len(data) - 20) if suffix == ".png" else (8, len(data) - 1200)
    data[start + int(place * (stop - start))] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        read_image(path, say=print)
    parts = open_parts(path, keep_depth=True, part_bytes=PART_BYTES, say=print)
    assert parts is not None
    with pytest.raises(InputError, match="cannot be read as an image, or is damaged"):
        list(parts)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_a_file_cut_short_is_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"in{suffix}"
    pictures()["RGB"].save(path, strip_size=2000)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError):
        list(open_parts(path, keep_depth=True, part_bytes=PART_BYTES, say=print) or ())


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
def test_memory_does_not_grow_with_the_picture(tmp_path: Path) -> None:
    """A child reads 2,000 and 8,000 rows of 3,000 pixels: 18 and 72 MB."""
    peaks = []
    for height in (2_000, 8_000):
        path = tmp_path / f"{height}.png"
        with path.open("wb") as file:
            writer = PngWriter(file, 3_000, height, 3)
            line = np.tile(photo(3)[:1], (500, 20, 1))[:, :3_000]
            for _ in range(height // 500):
                writer.write(line)
            writer.close()
        child = subprocess.run(
            [sys.executable, "-c", _READ, str(path)], check=True, capture_output=True, text=True
        )
        rows, peak = (int(value) for value in child.stdout.split())
        assert rows == height
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 20_000  # kilobytes


_READ = """
import sys
from pathlib import Path
from framelift.common.images.parts import open_parts
parts = open_parts(Path(sys.argv[1]), keep_depth=True, say=print)
print(sum(len(part.bgr) for part in parts))
# ru_maxrss would count what the process was that started this one.
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
"""
