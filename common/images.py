"""Still images: read with everything that matters, upscaled, written completely or not at all."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, OutputError
from .files import atomic_output
from .native_output import native_output_caught
from .opencv import load_cv2, quiet_cv2
from .signals import call_interruptibly

Pixels = NDArray[np.uint8]

_JPEG_SUFFIXES = (".jpg", ".jpeg", ".jfif")
IMAGE_SUFFIXES = (".png", *_JPEG_SUFFIXES, ".webp", ".tif", ".tiff", ".bmp", ".ppm")
"""What is read and written, lower case."""
FOREIGN_IMAGE_SUFFIXES = (".avif", ".heic", ".heif", ".jxl", ".psd", ".exr")
"""Images that must be converted first, lower case."""
JPEG_QUALITY = 95
_ALPHA_SUFFIXES = (".png", ".webp", ".tif", ".tiff")
_PROFILE_SUFFIXES = (".png", *_JPEG_SUFFIXES, ".webp")


ImageUpscaler = Callable[[Pixels], Pixels]
"""What is needed of an `Upscaler`: uint8 H×W×3 BGR in, the same larger out."""


@dataclass(frozen=True)
class Picture:
    """An image file's content, upright."""

    bgr_u8: Pixels
    """uint8 H×W×3, BGR."""
    alpha_u8: Pixels | None = None
    """uint8 H×W, or `None` for an opaque image."""
    icc_profile: Pixels | None = None
    """The bytes of its ICC colour profile; `None` without one."""


def upscale_image(
    source: Path,
    target: Path,
    upscaler: ImageUpscaler,
    *,
    overwrite: bool = False,
    say: Callable[[str], None],
) -> tuple[int, int]:
    """Upscale an image file and return the new width and height in pixels.

    Raises:
        InputError: the source is no image, damaged, or has pixels of neither 8 nor 16 bits.
        OutputError: the target exists and `overwrite` is false, cannot be written, has an
            unknown suffix, or cannot hold the source's transparency.
    """
    check_image_suffix(target)
    with atomic_output(target, overwrite=overwrite, source=source) as temporary:
        # In another thread, so that Ctrl-C need not wait for the network. The file is written
        # here: a thread that was left behind must not bring the temporary file back.
        encoded, size = call_interruptibly(lambda: _upscaled(source, target, upscaler, say))
        temporary.write_bytes(encoded)
    return size


def _upscaled(
    source: Path, target: Path, upscaler: ImageUpscaler, say: Callable[[str], None]
) -> tuple[bytes, tuple[int, int]]:
    picture = read_image(source, say=say)
    if picture.alpha_u8 is not None and target.suffix.lower() not in _ALPHA_SUFFIXES:
        raise OutputError(
            f"{target}: {source} has transparency, which {target.suffix} cannot hold; "
            f"use {', '.join(_ALPHA_SUFFIXES)}"
        )
    big = upscale_picture(picture, upscaler)
    height, width = big.bgr_u8.shape[:2]
    return encode_image(target, big, say=say), (width, height)


def upscale_picture(picture: Picture, upscaler: ImageUpscaler) -> Picture:
    """Colour goes through the network, transparency through a cubic resize."""
    big = upscaler(picture.bgr_u8)
    alpha = picture.alpha_u8
    if alpha is not None:
        cv2 = load_cv2()
        size = big.shape[1], big.shape[0]
        alpha = cast("Pixels", cv2.resize(alpha, size, interpolation=cv2.INTER_CUBIC))
    return Picture(big, alpha, picture.icc_profile)


def read_image(path: Path, *, say: Callable[[str], None]) -> Picture:
    """Read an image upright as 8-bit BGR, with its transparency and colour profile.

    The EXIF orientation is applied. Grey becomes BGR. 16 bits per channel are scaled to 8, with
    a line that says so. Of files with several pages or frames the first is taken, with a line.
    An alpha channel that is opaque everywhere counts as none.

    Raises:
        InputError: it does not exist, is empty, damaged, no image, or has pixels of neither 8
            nor 16 bits.
    """
    data = _file_bytes(path)
    cv2 = load_cv2()
    with native_output_caught() as caught, quiet_cv2(cv2, but_errors=True):
        colour, profile = _decode(cv2, data)
        # JPEG has neither transparency nor pages.
        raw = None if data[:2].tobytes() == b"\xff\xd8" else _try_decode(cv2, data)
        pages = 1 if raw is None else _page_count(cv2, path)
    # Where OpenCV cannot make colour of deep pixels, the file as it is tells their type.
    decoded = raw if colour is None else colour
    if decoded is not None and decoded.dtype not in (np.uint8, np.uint16):
        raise InputError(f"{path}: has {decoded.dtype} pixels; convert it to 8 or 16 bits first")
    if colour is None or _is_cut_short(data):
        raise InputError(f"{path}: is no image that can be read, or a damaged one")
    if caught.tells_of_damage:
        say(f"{path.name}: is damaged inside; what could be read of it is upscaled")
    if pages > 1:
        say(f"{path.name}: holds {pages} images; only the first is upscaled")
    alpha = None
    if raw is not None and raw.ndim == 3 and raw.shape[2] == 4 and not _is_opaque(raw[..., 3]):
        alpha = _turned_like(raw, colour)
    if colour.dtype == np.uint16:
        say(f"{path.name}: 16 bits per channel are reduced to 8")
    return Picture(_to_u8(colour), None if alpha is None else _to_u8(alpha), profile)


def encode_image(target: Path, picture: Picture, *, say: Callable[[str], None]) -> bytes:
    """The bytes of an image file in the format of the target's suffix; nothing is written.

    JPEG and WebP are made with quality 95. The picture's alpha must be `None` where the format
    has none.

    Raises:
        OutputError: the suffix is unknown or the format cannot hold an image of this size.
    """
    check_image_suffix(target)
    cv2 = load_cv2()
    suffix = target.suffix.lower()
    pixels = picture.bgr_u8
    if picture.alpha_u8 is not None:
        pixels = np.dstack([pixels, picture.alpha_u8])
    parameters = []
    if suffix in _JPEG_SUFFIXES:
        suffix = ".jpg"  # OpenCV does not know all names of the format
        parameters = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    elif suffix == ".webp":
        parameters = [cv2.IMWRITE_WEBP_QUALITY, JPEG_QUALITY]
    profile, reason = picture.icc_profile, ""
    if profile is not None and profile[16:20].tobytes() != b"RGB ":
        reason = ": it is not for RGB"  # grey and CMYK have become RGB
    with native_output_caught(), quiet_cv2(cv2):
        encoded = None if reason else _encode(cv2, suffix, pixels, parameters, profile)
        if encoded is None and profile is not None:
            say(f"{target.name}: the colour profile of the source is left out{reason}")
            encoded = _encode(cv2, suffix, pixels, parameters, None)
    if encoded is None:
        height, width = pixels.shape[:2]
        raise OutputError(
            f"{target}: {width}×{height} pixels are too many for {target.suffix}; use .png"
        )
    return encoded


def is_image(path: Path) -> bool:
    """Whether the name is that of an image file."""
    return path.suffix.lower() in IMAGE_SUFFIXES


def check_image_readable(source: Path) -> None:
    """Raise `InputError` for the name of an image in a format that is not read."""
    if source.suffix.lower() in FOREIGN_IMAGE_SUFFIXES:
        raise InputError(f"{source}: {source.suffix} images are not read; convert it to PNG first")


def check_image_suffix(target: Path) -> None:
    """Raise `OutputError` unless images can be written under this name."""
    if target.suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError(
            f"{target}: an image cannot be written to {target.suffix or 'a name without suffix'}; "
            f"use {', '.join(IMAGE_SUFFIXES)}"
        )


def _file_bytes(path: Path) -> Pixels:
    if path.is_dir():
        raise InputError(f"{path}: is a folder, not an image file")
    try:
        data = np.fromfile(path, np.uint8)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not data.size:
        raise InputError(f"{path}: the file is empty")
    return data


def _is_cut_short(data: Pixels) -> bool:
    """Whether it is a PNG without its end, which libpng would fill up without a word.

    The chunks are followed, as anything may come after the last one.
    """
    if data[:4].tobytes() != b"\x89PNG":
        return False
    start = 8
    while start + 8 <= data.size:
        length, kind = struct.unpack(">I4s", data[start : start + 8].tobytes())
        if kind == b"IEND":
            return False
        start += 12 + length
    return True


# OpenCV's own types: imread's result can have any depth, and its stubs lag behind its functions.
_Any = NDArray[Any]


def _decode(cv2: Any, data: Pixels) -> tuple[_Any | None, Pixels | None]:  # noqa: ANN401
    """The upright colour image at its own depth, and its ICC profile."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        if not hasattr(cv2, "imdecodeWithMetadata"):  # OpenCV before 4.12
            return cv2.imdecode(data, flags), None
        image, kinds, chunks = cv2.imdecodeWithMetadata(data, flags=flags)
    except cv2.error:
        return None, None
    found = dict(zip(np.ravel(kinds).tolist(), chunks, strict=True))
    profile = found.get(cv2.IMAGE_METADATA_ICCP)
    return image, None if profile is None else np.ravel(profile)


def _try_decode(cv2: Any, data: Pixels) -> _Any | None:  # noqa: ANN401
    try:
        return cast("_Any | None", cv2.imdecode(data, cv2.IMREAD_UNCHANGED))
    except cv2.error:
        return None


def _page_count(cv2: Any, path: Path) -> int:  # noqa: ANN401
    try:
        # As bytes: a name that is no UTF-8 ends the process if it is given as text.
        return int(cv2.imcount(os.fsencode(path)))
    except cv2.error:
        return 1


def _encode(
    cv2: Any,  # noqa: ANN401
    suffix: str,
    pixels: Pixels,
    parameters: list[int],
    profile: Pixels | None,
) -> bytes | None:
    try:
        if profile is None:
            done, encoded = cv2.imencode(suffix, pixels, parameters)
        elif suffix in _PROFILE_SUFFIXES:
            kinds = [cv2.IMAGE_METADATA_ICCP]
            done, encoded = cv2.imencodeWithMetadata(suffix, pixels, kinds, [profile], parameters)
        else:
            return None
    except cv2.error:
        return None
    return encoded.tobytes() if done else None


def _is_opaque(alpha: _Any) -> bool:
    return int(alpha.min()) == np.iinfo(alpha.dtype).max


def _turned_like(raw: _Any, upright: _Any) -> _Any:
    """The alpha channel of `raw`, turned and mirrored as `upright` is against it.

    OpenCV applies the EXIF orientation or keeps the alpha channel, never both.
    """
    for turns in range(4):
        for mirror in (False, True):
            turned = np.rot90(raw[:, ::-1] if mirror else raw, turns)
            if np.array_equal(turned[..., :3], upright):
                return turned[..., 3]
    return raw[..., 3]


def _to_u8(pixels: _Any) -> Pixels:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.ascontiguousarray(pixels)
