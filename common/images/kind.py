"""What kind of pixels an image file has, by the first bytes of the file."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from .decoding import is_deep, is_stored_grey
from .formats.deep import DEEP_FORMATS, stored_bits
from .opening import frame_count, prepare_pillow

_HEADER_BYTES = 1 << 20  # of AVIF, which has its boxes before its pixels
_ANIMATED_SUFFIXES = (".webp", ".png", ".apng")


@dataclass(frozen=True)
class Kind:
    """The channels of an image file."""

    is_grey: bool
    has_alpha: bool
    """Whether it stores a transparency, be it opaque everywhere."""
    is_deep: bool
    """More than 8 bits per channel."""


def is_animated(path: Path) -> bool:
    """Whether a file with the name of a WebP or PNG has several frames."""
    from PIL import Image

    if path.suffix.lower() not in _ANIMATED_SUFFIXES or not path.is_file():
        return False
    prepare_pillow()
    with contextlib.suppress(Exception), Image.open(path) as image:  # Pillow raises many kinds
        return frame_count(image) > 1
    return False


def read_kind(path: Path) -> Kind | None:
    """The kind of an image; `None` if it is damaged or no image."""
    from PIL import Image

    prepare_pillow()
    with (
        contextlib.suppress(Exception),  # Pillow raises many kinds
        path.open("rb") as file,
        Image.open(file) as image,
    ):
        deep = is_deep(image)
        if image.format in DEEP_FORMATS:
            file.seek(0)
            deep = stored_bits(image, file.read(_HEADER_BYTES)) > 8
        alpha = image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info
        return Kind(is_stored_grey(image), alpha, deep)
    return None
