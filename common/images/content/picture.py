"""`Picture`: the pixels of an image file, with its transparency and metadata."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import NDArray

from ...libraries.native_output import Caught

AnyPixels = NDArray[Any]
Pixels = AnyPixels
"""uint8, or uint16 over its full range."""


@dataclass(frozen=True)
class Metadata:
    """What is known of a picture beside its pixels and colours."""

    exif: bytes | None = None
    """A block as of EXIF 2.3, from its byte order on: camera, date, place."""
    xmp: bytes | None = None
    """An XMP packet, XML in UTF-8."""
    iptc: bytes | None = None
    """IPTC-IIM records: caption, author, keywords."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch, horizontally and vertically."""
    text: tuple[tuple[bytes, bytes], ...] = ()
    """Text chunks of a PNG (kind, data)."""


@dataclass(frozen=True)
class Picture:
    """An image file's content, upright."""

    bgr: Pixels
    """uint8 or uint16 H×W×3, BGR."""
    alpha: Pixels | None = None
    """Of the same type, H×W, or `None` for an opaque image."""
    icc_profile: bytes | None = None
    """Its ICC colour profile; `None` without one."""
    is_grey: bool = False
    """Whether the file stores one channel of brightness; the three of `bgr` are equal."""
    depth: int = 8
    """Bits per channel of the file."""
    colour_chunks: tuple[tuple[bytes, bytes], ...] = ()
    """Chunks of a PNG (kind, data) that say what its colours mean: cICP, gAMA, cHRM, sRGB."""
    metadata: Metadata = field(default_factory=Metadata)
    caught: Caught = field(default_factory=Caught)
    """What OpenCV's libraries wrote while they decoded it."""

    def without_metadata(self) -> Picture:
        """The same pixels and colours, and nothing else that is known of it."""
        return replace(self, metadata=Metadata())
