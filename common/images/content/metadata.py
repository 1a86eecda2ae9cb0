"""EXIF, XMP, IPTC, resolution and text of image files: read, and brought up to date."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any

from .picture import Metadata
from .png_chunks import TEXT, iptc_of_text, text_key

if TYPE_CHECKING:
    from PIL.Image import Exif, Image

ORIENTATION = 0x0112
EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_WIDTH, _HEIGHT = 0xA002, 0xA003  # PixelXDimension, PixelYDimension
XMP_TAG, IPTC_TAG = 700, 33723
# Of a TIFF's first directory, what is about a photograph and not about how its pixels are stored.
_DESCRIPTION = frozenset(
    {
        269,
        270,
        271,
        272,
        285,
        305,
        306,
        315,
        316,
        337,
        18246,
        18249,
        33432,
        40091,
        40092,
        40093,
        40094,
        40095,
        EXIF_IFD,
        GPS_IFD,
    }
)
_IPTC_RESOURCE = 0x0404


def read_metadata(image: Image, chunks: list[tuple[bytes, bytes]]) -> tuple[Metadata, list[str]]:
    """What an opened image says of itself, and the names of what is damaged in it.

    `chunks` are those of a PNG, else none.
    """
    damaged = []
    exif = None
    try:
        found = exif_of(image, chunks)
        exif = _packed(found) if found else None
    except Exception:  # Pillow raises many kinds on damaged blocks
        damaged.append("EXIF")
    text = tuple(
        (kind, data)
        for kind, data in chunks
        if kind in TEXT
        and not text_key(data).startswith((b"XML:com.adobe.xmp", b"Raw profile type"))
    )
    return (
        Metadata(exif, _xmp(image), _iptc(image, chunks), _dpi(image), text),
        damaged,
    )


def exif_of(image: Image, chunks: list[tuple[bytes, bytes]]) -> Exif | None:
    """The EXIF block of an opened image, or None; its pixels are not decoded.

    Raises many kinds of errors: it is damaged.
    """
    if image.format != "PNG":
        return image.getexif()
    # Pillow would decode the whole picture to look for a block behind it.
    for kind, data in chunks:
        if kind == b"eXIf":
            return parsed(data)
    raw = any(text_key(data) == b"Raw profile type exif" for _, data in chunks)
    return image.getexif() if raw else None


def renewed(metadata: Metadata, width: int, height: int) -> Metadata:
    """The same for a picture that was made upright and has that size in pixels."""
    exif, xmp = metadata.exif, metadata.xmp
    if exif is not None:
        block = parsed(exif)
        if ORIENTATION in block:
            block[ORIENTATION] = 1
        details = dict(block.get_ifd(EXIF_IFD))
        if details:
            details[_WIDTH], details[_HEIGHT] = width, height
            block[EXIF_IFD] = details
        exif = _bytes(block)
    if xmp is not None:
        values = {
            b"tiff:Orientation": 1,
            b"tiff:ImageWidth": width,
            b"tiff:ImageLength": height,
            b"exif:PixelXDimension": width,
            b"exif:PixelYDimension": height,
        }
        for name, value in values.items():
            xmp = re.sub(rb"(%s\s*(?:=\s*[\"']|>)\s*)\d+" % name, rb"\g<1>%d" % value, xmp)
    return Metadata(exif, xmp, metadata.iptc, metadata.dpi, metadata.text)


def with_resolution(exif: bytes | None, dpi: tuple[float, float] | None) -> bytes | None:
    """An EXIF block that says the resolution, for formats that have no other place for it."""
    from PIL.Image import Exif

    if dpi is None:
        return exif
    block = Exif() if exif is None else parsed(exif)
    block[282], block[283], block[296] = *dpi, 2
    return _bytes(block)


def photoshop_segment(iptc: bytes) -> bytes:
    """The segment of a JPEG that holds IPTC records; empty if they are too long for one."""
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + bytes(len(iptc) % 2)
    body = b"Photoshop 3.0\0" + resource
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body if len(body) < 65534 else b""


def _packed(exif: Exif) -> bytes | None:
    """The block without what describes how the file stores its pixels."""
    for directory in (EXIF_IFD, GPS_IFD):
        exif.get_ifd(directory)
    for tag in list(exif):
        if tag not in _DESCRIPTION and tag != ORIENTATION:
            del exif[tag]
    exif.bigtiff = False  # a block is never one, whatever the file is
    return _bytes(exif) if len(exif) else None


def parsed(exif: bytes) -> Exif:
    """The block as a mapping of tags."""
    from PIL.Image import Exif

    block = Exif()
    block.load(b"Exif\0\0" + exif)
    return block


def _bytes(exif: Exif) -> bytes:
    return bytes(exif.tobytes()).removeprefix(b"Exif\0\0")


def _xmp(image: Image) -> bytes | None:
    found = image.info.get("xmp")
    if isinstance(found, str):
        return found.encode()
    return bytes(found).rstrip(b"\0") or None if isinstance(found, bytes | bytearray) else None


def _iptc(image: Image, chunks: list[tuple[bytes, bytes]]) -> bytes | None:
    for kind, data in chunks:
        key = text_key(data)
        if kind == b"zTXt" and key in (b"Raw profile type iptc", b"Raw profile type 8bim"):
            return iptc_of_text(data)
    resources = image.info.get("photoshop")
    if isinstance(resources, dict) and isinstance(resources.get(_IPTC_RESOURCE), bytes):
        return bytes(resources[_IPTC_RESOURCE]) or None
    tags: Any = getattr(image, "tag_v2", None)
    found = None if tags is None else tags.get(IPTC_TAG)
    if isinstance(found, tuple):  # written as whole numbers by some programs
        order = "<" if tags.prefix == b"II" else ">"
        found = struct.pack(f"{order}{len(found)}I", *found).rstrip(b"\0")
    return found if isinstance(found, bytes) and found else None


def _dpi(image: Image) -> tuple[float, float] | None:
    found = image.info.get("dpi")
    try:
        across, down = (float(value) for value in found)  # type: ignore[union-attr]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None
