"""Pixels of an opened image file: by OpenCV where it is sure to be right, else by Pillow.

OpenCV has colours of 16 bits, reports damage inside a PNG or JPEG, and takes half the memory.
Pillow has palettes, every kind of transparency, and all other formats. Neither applies the EXIF
orientation here, but of TIFF.
"""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import TYPE_CHECKING, cast

import numpy as np

from ..libraries.native_output import Caught, native_output_caught
from ..libraries.opencv import load_cv2, quiet_cv2
from .content.picture import AnyPixels, Pixels

if TYPE_CHECKING:
    from PIL.Image import Image

_BITS_PER_SAMPLE = 258
_MOST_PIXELS_OF_OPENCV = 1 << 30
_NOT_OPENCV_S = ("AVIF", "HEIF", "JXL")
# What libtiff decompresses in Pillow's wheels and not in OpenCV's.
_ONLY_PILLOW_S_COMPRESSIONS = ("lzma", "webp", "zstd")
_GREY = ("1", "L", "LA", "La", "I;16", "I;16B", "I;16L", "I;16N")


def is_stored_grey(image: Image) -> bool:
    """Whether the file has one channel of brightness, with or without transparency."""
    if image.mode == "I":
        return image.format == "PPM"
    return image.mode in _GREY


def is_deep(image: Image) -> bool:
    """Whether the file has more than 8 bits a channel."""
    if image.mode.startswith("I;16"):
        return True
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
        return int(max(bits if isinstance(bits, tuple) else (bits,))) > 8
    return (image.format == "PPM" and image.mode == "I") or any(
        ";16" in str(tile.args) for tile in getattr(image, "tile", ())
    )


def unreadable_compression(image: Image) -> str | None:
    """The compression of a TIFF with 16-bit colours that no library here reads as such."""
    compression = _compression(image)
    deep_colours = is_deep(image) and not image.mode.startswith("I;16")
    return compression if deep_colours and compression in _ONLY_PILLOW_S_COMPRESSIONS else None


def _compression(image: Image) -> str:
    return str(image.info.get("compression", "")) if image.format == "TIFF" else ""


def suits_opencv(image: Image) -> bool:
    """Whether OpenCV decodes this file correctly."""
    width, height = image.size
    if image.format in _NOT_OPENCV_S:
        return False
    if width * height > _MOST_PIXELS_OF_OPENCV or image.mode == "CMYK":
        return False
    if _compression(image) in _ONLY_PILLOW_S_COMPRESSIONS:
        return False
    if is_deep(image) or image.format in ("JPEG", "MPO", "PPM"):
        return True
    plain = image.mode in ("L", "RGB", "RGBA") and "transparency" not in image.info
    return image.format == "PNG" and plain


def decode_by_opencv(data: bytes, *, quiet: bool = True) -> tuple[AnyPixels | None, Caught]:
    """The pixels as the file has them, and what its library wrote, if that is caught (`quiet`).

    `None` if it cannot be decoded. Channels: 1 (H×W), BGR or BGRA.
    """
    cv2 = load_cv2()
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    catching = native_output_caught() if quiet else nullcontext(Caught())
    with catching as caught, quiet_cv2(cv2, but_errors=True):
        try:
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error:
            pixels = None
    if pixels is not None and pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return cast("AnyPixels | None", pixels), caught


def load_quietly(image: Image) -> None:
    """Decode by Pillow. What libtiff writes meanwhile is caught, by one thread at a time.

    Raises what Pillow raises.
    """
    with native_output_caught() if image.format == "TIFF" else nullcontext():
        image.load()


def decode_by_pillow(image: Image, *, quiet: bool = True) -> tuple[Pixels, Pixels | None]:
    """The colours, H×W×3 BGR, and the transparency, H×W: uint8, or uint16 of grey in JPEG XL
    and TIFF.

    Palettes, transparent colours and colours that were multiplied by alpha are resolved. What
    libtiff writes is caught, if `quiet`.

    Raises OSError and other errors of Pillow: it is damaged or cut short.
    """
    if quiet:
        load_quietly(image)
    else:
        image.load()
    if image.mode.startswith("I;16"):
        return np.repeat(np.asarray(image).astype(np.uint16)[..., None], 3, 2), None
    transparent = image.has_transparency_data
    grey = is_stored_grey(image)
    wanted = ("LA" if transparent else "L") if grey else ("RGBA" if transparent else "RGB")
    if grey and transparent and image.mode == "1":
        image = image.convert("L")
    converted = image if image.mode == wanted else image.convert(wanted)
    array = np.asarray(converted)
    colour = array if array.ndim == 2 else array[..., : (1 if grey else 3)]
    alpha = np.ascontiguousarray(array[..., -1]) if transparent else None
    cv2 = load_cv2()
    if grey:
        flat = np.ascontiguousarray(colour.reshape(colour.shape[:2]))
        return cast("Pixels", cv2.cvtColor(flat, cv2.COLOR_GRAY2BGR)), alpha
    if transparent:
        return cast("Pixels", cv2.cvtColor(array, cv2.COLOR_RGBA2BGR)), alpha
    return cast("Pixels", cv2.cvtColor(array, cv2.COLOR_RGB2BGR)), alpha


def cmyk_as_rgb(image: Image) -> Image:
    """Printing colours as sRGB, by their profile where there is one."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if profile:
        try:
            converted = ImageCms.profileToProfile(
                image,
                ImageCms.ImageCmsProfile(io.BytesIO(profile)),
                ImageCms.createProfile("sRGB"),
                outputMode="RGB",
            )
        except ImageCms.PyCMSError:
            converted = None
        if converted is not None:
            return converted
    return image.convert("RGB")


def turned(pixels: AnyPixels, orientation: int) -> AnyPixels:
    """The pixels upright, of which EXIF says how they lie."""
    match orientation:
        case 2:
            pixels = pixels[:, ::-1]
        case 3:
            pixels = pixels[::-1, ::-1]
        case 4:
            pixels = pixels[::-1]
        case 5:
            pixels = pixels.swapaxes(0, 1)
        case 6:
            pixels = np.rot90(pixels, -1)
        case 7:
            pixels = np.rot90(pixels, 2).swapaxes(0, 1)
        case 8:
            pixels = np.rot90(pixels)
    return np.ascontiguousarray(pixels)
