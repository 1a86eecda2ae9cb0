"""Encodes still images, with all their metadata, in the format of a file's suffix."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from ..errors import OutputError
from ..notes import Say
from .content.metadata import photoshop_segment, renewed, with_resolution
from .content.picture import AnyPixels, Metadata, Picture
from .content.png_chunks import iptc_text
from .content.suffixes import ALPHA_SUFFIXES, JPEG_SUFFIXES, check_image_suffix
from .formats.deep import DEEP_FORMATS, bits_to_write, heif_colours, with_avif_colours
from .formats.deep import encode as encode_deep
from .formats.png_writer import PngWriter
from .formats.tiff_writer import TiffWriter
from .opening import prepare_pillow

JPEG_QUALITY = 95
AVIF_QUALITY = 90
PNG_SUFFIXES = (".png", ".apng")
STRIP_SUFFIXES = (*PNG_SUFFIXES, ".tif", ".tiff")
"""Formats that are written line by line, and hold 16 bits per channel; lower case."""
DEEP_SUFFIXES = (*STRIP_SUFFIXES, ".avif", ".heic", ".heif", ".hif")
"""Formats that hold more than 8 bits per channel, lower case."""
_FORMATS = {
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".jxl": "JXL",
    **dict.fromkeys(JPEG_SUFFIXES, "JPEG"),
}
# What libjpeg writes; what WebP's header holds; what libavif and libde265 read.
_MOST_PER_SIDE = {"JPEG": 65500, "WEBP": 16383, "AVIF": 32768, "HEIF": 65000, "GIF": 65535}
_GREY_FORMATS = ("JPEG", "BMP")
_KEEPS = {
    "JPEG": {"EXIF", "XMP", "IPTC", "resolution"},
    "TIFF": {"EXIF", "XMP", "IPTC", "resolution"},
    "WEBP": {"EXIF", "XMP", "resolution"},
    "AVIF": {"EXIF", "XMP", "resolution"},
    "HEIF": {"EXIF", "XMP", "resolution"},
    "JXL": {"EXIF", "XMP", "resolution"},
    "BMP": {"resolution"},
    "PPM": set[str](),
}
_NO_PROFILE = ("BMP", "PPM")
_METRES_PER_INCH = 0.0254


class StripWriter(Protocol):
    """A file that is written line by line, from top to bottom."""

    def write(self, lines: AnyPixels) -> None:
        """Add lines as of `channels_of`."""

    def close(self) -> None:
        """Write the end, after the last line."""


def check_image_size(target: Path, width: int, height: int) -> None:
    """Raise OutputError if the format of the target's suffix cannot hold so many pixels a side."""
    suffix = target.suffix.lower()
    most = _MOST_PER_SIDE.get("GIF" if suffix == ".gif" else _FORMATS.get(suffix, ""))
    if most is not None and max(width, height) > most:
        raise OutputError(
            f"{target}: {width}×{height} pixels are too many for {target.suffix}; use .png"
        )


def encode_image(target: Path, picture: Picture, *, say: Say) -> bytes:
    """The bytes of an image file in the format of the target's suffix; nothing is written.

    JPEG and WebP are made with quality 95, AVIF with 90. Grey pictures get one channel where the
    format has that. A line names metadata that the format cannot hold. The picture's alpha must
    be `None` where the format has none.

    Raises:
        OutputError: the suffix is unknown or the format cannot hold an image of this size.
    """
    check_image_suffix(target)
    height, width = picture.bgr.shape[:2]
    file = io.BytesIO()
    if target.suffix.lower() in STRIP_SUFFIXES:
        writer = strip_writer(file, target, picture, width, height, say=say)
        writer.write(channels_of(picture.bgr, picture.alpha, grey=picture.is_grey))
        writer.close()
        return file.getvalue()
    name = _FORMATS[target.suffix.lower()]
    check_image_size(target, width, height)
    if picture.bgr.dtype == np.uint16:
        return _encode_deep(target, name, picture, say)
    grey = picture.is_grey and name in _GREY_FORMATS
    options = _options(name, target, picture, grey, renewed(picture.metadata, width, height), say)
    if name == "HEIF":
        options |= heif_colours(picture)
    _save(file, target, name, channels_of(picture.bgr, picture.alpha, grey=grey), options)
    if name == "AVIF":
        return with_avif_colours(file.getvalue(), picture)
    return file.getvalue()


def _encode_deep(target: Path, name: str, picture: Picture, say: Say) -> bytes:
    """An AVIF or HEIC file of 10 or 12 bits per channel."""
    height, width = picture.bgr.shape[:2]
    bits = bits_to_write(name, picture)
    if picture.depth > bits:
        say(f"{target.name}: {picture.depth} bits per channel become {bits}; use .png to keep all")
    metadata = renewed(picture.metadata, width, height)
    options = _options(name, target, picture, False, metadata, say)
    try:
        return encode_deep(name, picture, bits, AVIF_QUALITY, options)
    except MemoryError:
        raise
    except Exception as error:  # encoders raise many kinds
        raise _not_written(target, picture.bgr, error) from error


def strip_writer(
    file: IO[bytes], target: Path, picture: Picture, width: int, height: int, *, say: Say
) -> StripWriter:
    """A writer for a PNG or TIFF of that size, with all that `picture` has beside its pixels."""
    profile = _usable_profile(target, picture, picture.is_grey, say)
    metadata = renewed(picture.metadata, width, height)
    channels = (1 if picture.is_grey else 3) + (picture.alpha is not None)
    depth = 8 * picture.bgr.dtype.itemsize
    if target.suffix.lower() not in PNG_SUFFIXES:
        _say_what_is_lost("TIFF", target, picture, metadata, say)
        return TiffWriter(file, width, height, channels, metadata, profile, depth=depth)
    chunks: list[tuple[bytes, bytes]] = list(picture.colour_chunks)
    if profile is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile)))
    chunks += _png_metadata(metadata)
    return PngWriter(file, width, height, channels, chunks, depth=depth)


def channels_of(bgr: AnyPixels, alpha: AnyPixels | None, *, grey: bool) -> AnyPixels:
    """Pixels as files have them: grey H×W, with alpha H×W×2, or RGB, or RGBA."""
    if grey:
        only = bgr[..., 0]
        return only if alpha is None else np.dstack([only, alpha])
    rgb = np.ascontiguousarray(bgr[..., ::-1])
    return rgb if alpha is None else np.dstack([rgb, alpha])


def check_transparency(source: Path, target: Path, picture: Picture) -> None:
    """Raise OutputError: the picture is transparent and the target's format cannot be."""
    if picture.alpha is not None and target.suffix.lower() not in ALPHA_SUFFIXES:
        others = (".apng", ".tiff", ".heif", ".hif")  # other names of formats that are named
        names = ", ".join(suffix for suffix in ALPHA_SUFFIXES if suffix not in others)
        raise OutputError(
            f"{target}: {source} has transparency, which {target.suffix} cannot hold; use {names}"
        )


def _save(
    file: IO[bytes], target: Path, name: str, pixels: AnyPixels, options: dict[str, Any]
) -> None:
    from PIL import Image

    prepare_pillow()
    try:
        Image.fromarray(pixels).save(file, name, **options)
    except MemoryError:
        raise
    except Exception as error:  # encoders raise many kinds
        raise _not_written(target, pixels, error) from error


def _not_written(target: Path, pixels: AnyPixels, error: Exception) -> OutputError:
    height, width = pixels.shape[:2]
    return OutputError(
        f"{target}: {width}×{height} pixels cannot be written as {target.suffix} ({error}); "
        "use .png"
    )


def _options(
    name: str, target: Path, picture: Picture, grey: bool, metadata: Metadata, say: Say
) -> dict[str, object]:
    """Arguments of Pillow's `save`."""
    settings: dict[str, dict[str, Any]] = {
        "JPEG": {"quality": JPEG_QUALITY},
        "WEBP": {"quality": JPEG_QUALITY, "method": 4, "exact": False},
        "AVIF": {"quality": AVIF_QUALITY},
        "HEIF": {"quality": AVIF_QUALITY},
        "JXL": {"quality": JPEG_QUALITY},
    }
    options = settings.get(name, {})
    profile = _usable_profile(target, picture, grey, say)
    if profile is not None and name in _NO_PROFILE:
        say(f"{target.name}: the colour profile of the source is left out")
    elif profile is not None:
        options["icc_profile"] = profile
    _say_what_is_lost(name, target, picture, metadata, say)
    options.update(_metadata_options(name, metadata))
    return options


def _metadata_options(name: str, metadata: Metadata) -> dict[str, object]:
    options: dict[str, Any] = {}
    kept = _KEEPS[name]
    exif = metadata.exif
    if name in ("WEBP", "AVIF", "HEIF", "JXL"):
        exif = with_resolution(exif, metadata.dpi)
    elif metadata.dpi is not None and "resolution" in kept:
        options["dpi"] = metadata.dpi
    if exif is not None and "EXIF" in kept:
        options["exif"] = b"Exif\0\0" + exif
    if metadata.xmp is not None and "XMP" in kept:
        options["xmp"] = metadata.xmp
    if metadata.iptc is not None and name == "JPEG":
        options["extra"] = photoshop_segment(metadata.iptc)
    return options


def _say_what_is_lost(
    name: str, target: Path, picture: Picture, metadata: Metadata, say: Say
) -> None:
    kinds = {kind for kind, _ in picture.colour_chunks}
    if b"cICP" in kinds and name not in DEEP_FORMATS:
        say(f"{target.name}: the colour information of the source (cICP) is left out; use .png")
    elif b"gAMA" in kinds and _is_unusual(picture):
        say(f"{target.name}: the colour information of the source (gAMA) is left out; use .png")
    has = {
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC": metadata.iptc,
        "resolution": metadata.dpi,
        "text": metadata.text,
    }
    lost = [kind for kind, value in has.items() if value and kind not in _KEEPS[name]]
    if name == "JPEG" and metadata.iptc and not photoshop_segment(metadata.iptc):
        lost.append("IPTC")
    if lost:
        say(f"{target.name}: {target.suffix} cannot hold {', '.join(lost)} of the source; left out")


def _usable_profile(target: Path, picture: Picture, grey: bool, say: Say) -> bytes | None:
    """The colour profile, unless it is for other channels than those that are written."""
    profile = picture.icc_profile
    if profile is None:
        return None
    space = profile[16:20]
    if space == (b"GRAY" if grey else b"RGB "):
        return profile
    if grey and space == b"RGB " and target.suffix.lower() not in PNG_SUFFIXES:
        return profile  # cameras write such JPEGs; PNG forbids it
    wanted = "grey" if grey else "RGB"
    say(f"{target.name}: the colour profile of the source is left out: it is not for {wanted}")
    return None


def _is_unusual(picture: Picture) -> bool:
    """Whether the gamma of a PNG is not that of sRGB, which everything assumes."""
    kinds = dict(picture.colour_chunks)
    return b"sRGB" not in kinds and abs(int.from_bytes(kinds[b"gAMA"], "big") - 45455) > 100


def _png_metadata(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    chunks = []
    if metadata.dpi is not None:
        per_metre = [round(dpi / _METRES_PER_INCH) for dpi in metadata.dpi]
        chunks.append((b"pHYs", b"".join(n.to_bytes(4, "big") for n in per_metre) + b"\x01"))
    if metadata.exif is not None:
        chunks.append((b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if metadata.iptc is not None:
        chunks.append(iptc_text(metadata.iptc))
    return chunks + list(metadata.text)
