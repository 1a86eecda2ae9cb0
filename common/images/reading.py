"""Reads still images upright, with their transparency and metadata."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..notes import Say
from .content.picture import AnyPixels, Picture
from .decoding import turned
from .facts import bits_of, facts_of, orientation_of, png_chunks, say_if_reduced
from .formats.deep import DEEP_FORMATS
from .formats.jxl_header import bits_per_channel as jxl_bits
from .opening import frame_count, opened, opened_header
from .pixels import come_upright, decoded, has_orientation_tag

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Outline:
    """What the header of an image file says."""

    width: int
    height: int
    frames: int
    bits: int = 8
    """Bits per channel."""

    @property
    def is_deep(self) -> bool:
        """Whether it has more than 8 bits per channel."""
        return self.bits > 8


def read_image(path: Path, *, keep_depth: bool = False, quiet: bool = True, say: Say) -> Picture:
    """Read an image upright as BGR, with its transparency, colour profile and metadata.

    The EXIF orientation is applied. Grey becomes three equal channels. More than 8 bits per channel
    are rounded to 8, or with `keep_depth` become uint16 of the full range. CMYK becomes sRGB. A
    line says what is lost. Of files with several pages or frames the first is taken, with a line.
    An alpha channel that is opaque everywhere counts as none. What image libraries write by
    themselves is caught, by one thread at a time; not if `quiet` is false.

    Raises:
        InputError: it does not exist, is empty, damaged, no image, too large for the memory, or has
            pixels of neither 8 nor 16 bits.
    """
    with opened(path) as (image, data):
        return _read(path, image, data, keep_depth, quiet, say)


def read_outline(path: Path) -> Outline:
    """The size of an image, upright, and how many frames it has; its pixels are not decoded.

    Raises InputError: it is no image.
    """
    with opened_header(path) as (image, file):
        width, height = image.size
        chunks = png_chunks(path, file) if image.format == "PNG" else []
        if orientation_of(image, chunks, upright=has_orientation_tag(image)) > 4:
            width, height = height, width
        data = b""
        if image.format in DEEP_FORMATS:
            file.seek(0)
            data = file.read()
        return Outline(width, height, frame_count(image), bits_of(image, data))


def is_opaque(alpha: AnyPixels) -> bool:
    """Whether nothing of it is transparent."""
    return int(alpha.min()) == np.iinfo(alpha.dtype).max


def _read(
    path: Path, image: Image, data: bytes, keep_depth: bool, quiet: bool, say: Say
) -> Picture:
    chunks = png_chunks(path, io.BytesIO(data)) if image.format == "PNG" else []
    orientation = orientation_of(image, chunks, upright=come_upright(image))
    facts = facts_of(path, image, data, chunks, say)
    colour, alpha, caught = decoded(facts, image, data, quiet=quiet)
    if caught.tells_of_damage:
        say(f"{path.name}: is damaged; the part that could be read is upscaled")
    colour = turned(colour, orientation)
    alpha = None if alpha is None or is_opaque(alpha) else turned(alpha, orientation)
    _say_what_is_not_read(path, image, data, facts.depth, say)
    say_if_reduced(facts, say, keep_depth=keep_depth)
    return facts.picture(colour, alpha, caught, keep_depth=keep_depth)


def _say_what_is_not_read(path: Path, image: Image, data: bytes, depth: int, say: Say) -> None:
    """Pillow's plug-in for JPEG XL reads colours of any depth as 8 bits."""
    bits = jxl_bits(data) if image.format == "JXL" else depth
    if bits > depth:
        say(f"{path.name}: {bits} bits per channel are read as {depth}; convert it to PNG first")
