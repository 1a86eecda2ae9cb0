"""The pixels of an image file, from the decoder that knows its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..libraries.native_output import Caught
from .content.metadata import ORIENTATION
from .content.picture import AnyPixels
from .decoding import (
    cmyk_as_rgb,
    decode_by_opencv,
    decode_by_pillow,
    load_quietly,
    suits_opencv,
    unreadable_compression,
)
from .facts import Facts, is_cmyk
from .formats.deep import DEEP_FORMATS
from .formats.deep import decode as decode_deep
from .formats.deep_tiff import decode_planes, is_in_planes, is_negative, straight
from .opening import DAMAGED, other_depth

if TYPE_CHECKING:
    from PIL.Image import Image


def come_upright(image: Image) -> bool:
    """Whether the pixels of a TIFF are turned by its decoder.

    Pillow does so. OpenCV turns them by the tag, whatever its flags say; `decode_planes` does not.
    """
    if image.format != "TIFF" or not suits_opencv(image):
        return image.format == "TIFF"
    return not is_in_planes(image) and has_orientation_tag(image)


def has_orientation_tag(image: Image) -> bool:
    """Whether a TIFF says itself how its pixels lie, and not only its XMP."""
    return ORIENTATION in getattr(image, "tag_v2", {})


def decoded(
    facts: Facts, image: Image, data: bytes, *, quiet: bool = True
) -> tuple[AnyPixels, AnyPixels | None, Caught]:
    """Colours, H×W×3 BGR of 8 or 16 bits, transparency, and what libraries wrote.

    They lie as they are stored, unless they `come_upright`. Raises InputError: they are damaged, or
    of neither 8 nor 16 bits.
    """
    if is_cmyk(image):
        image = _converted(facts.path, image, quiet=quiet)
    colour, alpha, caught = _pixels(facts.path, image, data, facts.depth, quiet)
    if colour.dtype == np.uint16 and is_negative(image):
        np.invert(colour, out=colour)
    return colour, alpha, caught


def _pixels(
    path: Path, image: Image, data: bytes, depth: int, quiet: bool
) -> tuple[AnyPixels, AnyPixels | None, Caught]:
    """Colours, H×W×3 BGR of 8 or 16 bits, transparency, and what libraries wrote."""
    _require_integers(path, image)
    if compression := unreadable_compression(image):
        raise InputError(
            f"{path}: 16-bit colours with {compression.upper()} compression cannot be read; "
            "save the TIFF with Deflate (ZIP) or LZW compression"
        )
    if depth > 8 and image.format in DEEP_FORMATS:
        return *_deep_pixels(path, image, data, depth), Caught()
    if not suits_opencv(image):
        try:
            return *decode_by_pillow(image, quiet=quiet), Caught()
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many kinds on damaged files
            raise InputError(f"{path}: {DAMAGED}") from error
    caught = Caught()
    if depth > 8 and is_in_planes(image):
        raw = decode_planes(data, lambda plane: decode_by_opencv(plane)[0])
    else:
        raw, caught = decode_by_opencv(data, quiet=quiet)
    if raw is None:
        raise InputError(f"{path}: {DAMAGED}")
    if raw.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: {other_depth(raw.dtype)}")
    return *_parted(straight(image, raw) if raw.dtype == np.uint16 else raw), caught


def _deep_pixels(
    path: Path, image: Image, data: bytes, depth: int
) -> tuple[AnyPixels, AnyPixels | None]:
    try:
        raw = decode_deep(image, data, depth, decode_by_opencv)
    except MemoryError:
        raise
    except Exception as error:  # of a damaged file; decoders raise many kinds
        raise InputError(f"{path}: {DAMAGED}") from error
    if raw is None or raw.shape[1::-1] != image.size:
        raise InputError(f"{path}: {DAMAGED}")
    return _parted(raw)


def _parted(raw: AnyPixels) -> tuple[AnyPixels, AnyPixels | None]:
    """Colours and transparency of H×W, BGR or BGRA."""
    if raw.ndim == 2:
        return np.repeat(raw[..., None], 3, 2), None
    return raw[..., :3], raw[..., 3] if raw.shape[2] == 4 else None


def _require_integers(path: Path, image: Image) -> None:
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        kind = "float32" if image.mode == "F" else "int32"
        raise InputError(f"{path}: {other_depth(kind)}")


def _converted(path: Path, image: Image, *, quiet: bool) -> Image:
    try:
        if quiet:
            load_quietly(image)
        return cmyk_as_rgb(image)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {DAMAGED}") from error
