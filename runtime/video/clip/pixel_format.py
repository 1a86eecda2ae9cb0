"""What a pixel format of FFmpeg stores: bits, chroma, alpha."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av

_CHROMA_NAMES = {0: "4:0:0", 1: "4:2:0", 2: "4:2:2", 3: "4:4:4"}
# Chroma samples for 4×4 pixels, to the least of the usual ones that holds as many.
_CHROMA_OF_SAMPLES = {(1, 1): 1, (1, 2): 1, (2, 1): 1, (2, 2): 1, (1, 4): 2, (2, 4): 2}


@dataclass(frozen=True)
class PixelFormat:
    """One of FFmpeg's pixel formats."""

    name: str
    bits: int
    """Bits per channel."""
    chroma: int
    """0 grey, 1 for 4:2:0, 2 for 4:2:2, 3 for 4:4:4 and RGB."""
    is_rgb: bool
    has_alpha: bool

    @property
    def chroma_name(self) -> str:
        """For instance "4:2:2"."""
        return _CHROMA_NAMES[self.chroma]

    @property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits per channel."""
        return self.bits > 8


def pixel_format(format_: av.VideoFormat) -> PixelFormat:
    """What a format stores."""
    components = format_.components
    alpha = any(component.is_alpha for component in components)
    rgb = bool(format_.is_rgb or format_.has_palette)
    colours = len(components) - alpha
    chroma = 3
    if not rgb:
        samples = (format_.chroma_width(4), format_.chroma_height(4))
        chroma = 0 if colours == 1 else _CHROMA_OF_SAMPLES.get(samples, 3)
    bits = 8 if format_.has_palette else max(component.bits for component in components)
    return PixelFormat(format_.name, bits, chroma, rgb, alpha)


@cache
def named_format(name: str) -> PixelFormat:
    """The format of that name. Raises ValueError if FFmpeg knows none."""
    import av

    return pixel_format(av.VideoFormat(name, 16, 16))
