"""Opens image files with Pillow; their pixels are not decoded."""

from __future__ import annotations

import contextlib
import importlib
import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import InputError
from .content.suffixes import PLUGINS
from .decoding import decode_by_opencv
from .formats.tiff_directory import DIRECTORY_ERRORS, read_layout

if TYPE_CHECKING:
    from PIL.Image import Image

_PLUGINS_OF_PILLOW = ("Png", "Jpeg", "Mpo", "WebP", "Tiff", "Bmp", "Ppm", "Avif", "Gif")
_FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "PPM", "AVIF", "GIF", "HEIF", "JXL")
_SIGNATURE_BYTES = 8
# Byte order, meaning, sample format, fill order, bits and extra samples of a TIFF.
_BIG_ENDIAN_NEGATIVE = (b"MM", 0, (1,), 1, (16,), ())
DAMAGED = "cannot be read as an image, or is damaged"
NO_MEMORY = "there is not enough memory for"


@contextmanager
def opened(path: Path) -> Iterator[tuple[Image, bytes]]:
    """An image file opened by Pillow, not decoded yet, and its bytes.

    Raises InputError: it cannot be read, or no format that is read is recognised.
    """
    data = _file_bytes(path)
    try:
        image = open_bytes(data)
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise InputError(f"{path}: {_why_not(data)}") from error
    with image:
        try:
            yield image, data
        except MemoryError as error:
            width, height = image.size
            raise InputError(f"{path}: {NO_MEMORY} {width}×{height}") from error


@contextmanager
def opened_header(path: Path) -> Iterator[tuple[Image, IO[bytes]]]:
    """An image file opened by Pillow, of which no more than needed is read, and the file itself.

    Raises InputError: see `opened`.
    """
    with ExitStack() as stack:
        try:
            file: IO[bytes] = stack.enter_context(path.open("rb"))
            image = stack.enter_context(open_file(file))
        except (OSError, SyntaxError, ValueError, struct.error):
            # What is no plain file, and why a file cannot be read.
            image, data = stack.enter_context(opened(path))
            file = io.BytesIO(data)
        yield image, file


def open_bytes(data: bytes) -> Image:
    """The image in these bytes, opened by Pillow. Raises OSError and others of Pillow."""
    return open_file(io.BytesIO(data))


def open_file(file: IO[bytes]) -> Image:
    """The image in a file, opened by Pillow. Raises OSError and others of Pillow."""
    from PIL import Image

    known = _plugins_for(file.read(_SIGNATURE_BYTES))
    file.seek(0)
    if known is None:
        prepare_pillow()
    else:
        _load_plugins(known)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(file, formats=[name for name in _FORMATS if name in Image.OPEN])


def frame_count(image: Image) -> int:
    """How many pages or frames it has. What cameras put beside a JPEG does not count."""
    if image.format in ("JPEG", "MPO", "HEIF"):
        return 1
    with contextlib.suppress(Exception):  # of a damaged file the first may be whole
        return int(getattr(image, "n_frames", 1))
    return 1


@cache
def prepare_pillow() -> None:
    """Load Pillow's formats and the installed plug-ins, once."""
    _load_plugins(_PLUGINS_OF_PILLOW)
    for name in PLUGINS:
        module = importlib.import_module(name)
        if name == "pillow_heif":
            module.register_heif_opener()


@cache
def _load_plugins(names: tuple[str, ...]) -> None:
    """Not by `Image.init`, which loads 40 modules, a tenth of the start of `framelift upscale`."""
    from PIL import Image

    for name in names:
        with contextlib.suppress(ImportError):  # Pillow of other releases, without one of them
            module = importlib.import_module(f"PIL.{name}ImagePlugin")
            if name == "Tiff":  # Pillow knows grey of 16 bits with white as 0, but not big-endian
                module.OPEN_INFO.setdefault(_BIG_ENDIAN_NEGATIVE, ("I;16B", "I;16B"))
    Image.MAX_IMAGE_PIXELS = None  # a photograph of 200 megapixels is no attack


def _plugins_for(data: bytes) -> tuple[str, ...] | None:
    """Those that alone take what begins so, for the two usual formats; None for others."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return ("Png",)
    if data.startswith(b"\xff\xd8\xff"):
        return ("Jpeg", "Mpo")
    return None


def other_depth(kind: object) -> str:
    """What is wrong with pixels of that type."""
    return f"has {kind} pixels; convert it to 8 or 16 bits first"


def _why_not(data: bytes) -> str:
    """What is wrong with bytes that Pillow does not take: OpenCV may know their type."""
    raw, _ = decode_by_opencv(data)
    if raw is None and not _has_tiff_layout(data):
        return DAMAGED
    if raw is not None and raw.dtype not in (np.uint8, np.uint16):
        return other_depth(raw.dtype)
    return "stores its pixels in a way that is not read; convert it to PNG first"


def _has_tiff_layout(data: bytes) -> bool:
    """Whether it is a TIFF whose directory is whole; OpenCV lacks some compressions."""
    with contextlib.suppress(*DIRECTORY_ERRORS):
        return read_layout(io.BytesIO(data)) is not None
    return False


def _file_bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not an image file")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not data:
        raise InputError(f"{path}: the file is empty")
    return data
