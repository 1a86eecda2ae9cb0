"""AVIF and HEIC with 10 and 12 bits per channel: read, and written.

Pillow has 8 bits of them. OpenCV's AVIF and pillow-heif's own interface have all.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ...libraries.opencv import load_cv2
from ..content.picture import AnyPixels, Picture
from .avif_boxes import bits_per_channel as avif_bits
from .avif_boxes import colours, with_colours

if TYPE_CHECKING:
    from PIL.Image import Image

DEEP_FORMATS = ("AVIF", "HEIF")
_WHITE = 65535
_NCLX = ("color_primaries", "transfer_characteristics", "matrix_coefficients")
_BT601, _BT2020 = 6, 9  # matrices; BT.2020 has the same number among primaries
_SRGB_LIKE = ({1, 2}, {1, 2, 6, 13})  # primaries and transfers that everything assumes
_one_at_a_time = threading.Lock()

Decode = Callable[[bytes], tuple[AnyPixels | None, object]]


def stored_bits(image: Image, data: bytes) -> int:
    """Bits per channel of an AVIF or HEIC file."""
    if image.format == "AVIF":
        return avif_bits(data)
    return int(image.info.get("bit_depth", 8))


def colour_chunk(image: Image, data: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """What an AVIF or HEIC file says of its colours, as a PNG says it; nothing if it is sRGB."""
    stated = colours(data) if image.format == "AVIF" else _colours_of_heif(image)
    if stated is None or image.info.get("icc_profile"):
        return ()
    primaries, transfer = stated
    if primaries in _SRGB_LIKE[0] and transfer in _SRGB_LIKE[1]:
        return ()
    return ((b"cICP", bytes([primaries & 255, transfer & 255, 0, 1])),)


def _colours_of_heif(image: Image) -> tuple[int, int] | None:
    found = image.info.get("nclx_profile")
    if not isinstance(found, dict):
        return None
    return int(found[_NCLX[0]]), int(found[_NCLX[1]])


def decode(image: Image, data: bytes, bits: int, by_opencv: Decode) -> AnyPixels | None:
    """The pixels, uint16 of the full range: H×W, BGR or BGRA; None if they cannot be decoded."""
    if image.format == "AVIF":
        raw, _ = by_opencv(data)
        if raw is None or raw.dtype != np.uint16:
            return None
        return _to_full_range(raw, bits)
    raw = _decode_heif(data)
    return None if raw is None else _to_full_range(raw >> (16 - bits), bits)


def _decode_heif(data: bytes) -> AnyPixels | None:
    import pillow_heif

    file = pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    raw = np.asarray(file)
    if raw.dtype != np.uint16:
        return None
    if raw.ndim == 2:
        return raw
    order = [2, 1, 0, *range(3, raw.shape[2])]
    return np.ascontiguousarray(raw[..., order])


def bits_to_write(name: str, picture: Picture) -> int:
    """Bits per channel that a picture of 16 bits gets: 10 or 12.

    Few programs read HEIC of 12 bits, so that only a source of 12 bits gets them there.
    """
    if picture.depth <= 10 or (name == "HEIF" and picture.depth != 12):
        return 10
    return 12


def encode(name: str, picture: Picture, bits: int, quality: int, options: dict[str, Any]) -> bytes:
    """The bytes of an AVIF or HEIC file of that many bits per channel.

    `options` may have `exif`, `xmp` and `icc_profile`, as for Pillow. Raises errors of the encoder.
    """
    parts = [picture.bgr] if picture.alpha is None else [picture.bgr, picture.alpha[..., None]]
    pixels = _from_full_range(np.concatenate(parts, 2), bits)
    if name == "AVIF":
        encoded = _encode_avif(pixels, bits, quality, options)
        return with_avif_colours(encoded, picture)
    return _encode_heif(pixels, bits, quality, {**options, **heif_colours(picture)})


def with_avif_colours(data: bytes, picture: Picture) -> bytes:
    """An AVIF file that says of its colours what the picture says."""
    cicp = dict(picture.colour_chunks).get(b"cICP")
    return data if cicp is None else with_colours(data, cicp[0], cicp[1])


def heif_colours(picture: Picture) -> dict[str, int]:
    """Options with which pillow-heif says of the colours what the picture says."""
    cicp = dict(picture.colour_chunks).get(b"cICP")
    if cicp is None:
        return {}
    matrix = _BT2020 if cicp[0] == _BT2020 else _BT601
    return dict(zip(_NCLX, (cicp[0], cicp[1], matrix), strict=True))


def _encode_avif(pixels: AnyPixels, bits: int, quality: int, options: dict[str, Any]) -> bytes:
    cv2 = load_cv2()
    kinds = {
        "exif": cv2.IMAGE_METADATA_EXIF,
        "xmp": cv2.IMAGE_METADATA_XMP,
        "icc_profile": cv2.IMAGE_METADATA_ICCP,
    }
    held = [(kinds[key], value) for key, value in options.items() if key in kinds]
    blocks = [np.frombuffer(value.removeprefix(b"Exif\0\0"), np.uint8) for _, value in held]
    settings = [cv2.IMWRITE_AVIF_DEPTH, bits, cv2.IMWRITE_AVIF_QUALITY, quality]
    written, data = cv2.imencodeWithMetadata(
        ".avif", pixels, [kind for kind, _ in held], blocks, settings
    )
    if not written:
        raise ValueError("OpenCV does not encode it")
    return bytes(data.tobytes())


def _encode_heif(pixels: AnyPixels, bits: int, quality: int, options: dict[str, Any]) -> bytes:
    import pillow_heif

    height, width, channels = pixels.shape
    mode = "BGRA;16" if channels == 4 else "BGR;16"
    file = pillow_heif.from_bytes(mode, (width, height), (pixels << (16 - bits)).tobytes())
    if "icc_profile" in options:
        file.info["icc_profile"] = options["icc_profile"]
        file.info["icc_profile_type"] = "prof"
    kept: dict[str, Any] = {key: options[key] for key in ("exif", "xmp", *_NCLX) if key in options}
    out = io.BytesIO()
    with _one_at_a_time:
        before = pillow_heif.options.SAVE_HDR_TO_12_BIT
        pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
        try:
            file.save(out, quality=quality, **kept)
        finally:
            pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return out.getvalue()


def _to_full_range(pixels: AnyPixels, bits: int) -> AnyPixels:
    """0 to 2^bits - 1 becomes 0 to 65535, rounded."""
    most = (1 << bits) - 1
    levels = (np.arange(most + 1, dtype=np.uint32) * _WHITE + most // 2) // most
    return cast("AnyPixels", levels.astype(np.uint16)[pixels])


def _from_full_range(pixels: AnyPixels, bits: int) -> AnyPixels:
    most = (1 << bits) - 1
    levels = (np.arange(_WHITE + 1, dtype=np.uint32) * most + _WHITE // 2) // _WHITE
    return cast("AnyPixels", levels.astype(np.uint16)[pixels])
