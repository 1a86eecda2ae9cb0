"""The one list of what image files are called."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ...errors import InputError, OutputError

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
# Pillow reads and writes these where its plug-in is installed, `pip install "framelift[formats]"`.
_PLUGINS = {"pillow_heif": (".heic", ".heif", ".hif"), "pillow_jxl": (".jxl",)}

PLUGINS = tuple(name for name in _PLUGINS if find_spec(name) is not None)
"""Modules of installed plug-ins for further formats."""
IMAGE_SUFFIXES = (
    ".png",
    ".apng",
    *JPEG_SUFFIXES,
    ".webp",
    ".tif",
    ".tiff",
    ".bmp",
    ".ppm",
    ".avif",
    *(suffix for name in PLUGINS for suffix in _PLUGINS[name]),
)
"""What is read and written, lower case."""
_OTHERS = (
    "psd",
    "psb",
    "xcf",
    "exr",
    "hdr",
    "jp2",
    "j2k",
    "tga",
    "pcx",
    "ico",
    "dds",
    "qoi",
    "svg",
)
_NETPBM = ("pbm", "pgm", "pnm", "pam")
_RAW = ("dng", "cr2", "cr3", "nef", "arw", "raf", "orf", "rw2", "pef", "srw")
"""What cameras write beside JPEG."""
FOREIGN_IMAGE_SUFFIXES = tuple(
    suffix
    for suffix in (
        *(suffix for suffixes in _PLUGINS.values() for suffix in suffixes),
        *(f".{name}" for name in (*_OTHERS, *_NETPBM, *_RAW)),
    )
    if suffix not in IMAGE_SUFFIXES
)
"""Images that must be converted first, lower case."""
NO_PHOTOGRAPH_SUFFIXES = (*FOREIGN_IMAGE_SUFFIXES, ".gif")
"""Images that are not read where photographs are asked for, lower case."""
ALPHA_SUFFIXES = (
    ".png",
    ".apng",
    ".webp",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
    ".hif",
    ".jxl",
)
"""Formats that hold transparency, lower case."""


def is_image(path: Path) -> bool:
    """Whether the name is that of an image file."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def check_image_readable(source: Path) -> None:
    """Raise `InputError` for the name of an image in a format that is not read."""
    suffix = source.suffix.lower()
    if suffix not in FOREIGN_IMAGE_SUFFIXES:
        return
    plugged = any(suffix in suffixes for suffixes in _PLUGINS.values())
    remedy = 'run `pip install "framelift[formats]"`, or ' if plugged else ""
    remedy += "convert it to PNG first"
    raise InputError(f"{source}: {source.suffix} images cannot be read; {remedy}")


def check_image_suffix(target: Path) -> None:
    """Raise `OutputError` unless images can be written under this name."""
    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError(
            f"{target}: an image cannot be written to {target.suffix or 'a name without suffix'}; "
            f"use {', '.join(IMAGE_SUFFIXES)}"
        )
