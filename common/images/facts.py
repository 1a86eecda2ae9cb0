"""What is known of an image file beside its pixels."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..libraries.native_output import Caught
from ..notes import Say
from .content.metadata import ORIENTATION, exif_of, read_metadata
from .content.picture import AnyPixels, Metadata, Picture, Pixels
from .content.png_chunks import COLOUR, read_chunks
from .decoding import is_deep, is_stored_grey
from .formats.deep import DEEP_FORMATS, colour_chunk, stored_bits
from .opening import DAMAGED, frame_count

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Facts:
    """What is known of an image file beside its pixels, and how they are decoded."""

    path: Path
    depth: int
    """Bits per channel of the file."""
    is_grey: bool
    profile: bytes | None
    colour_chunks: tuple[tuple[bytes, bytes], ...]
    metadata: Metadata

    def picture(
        self,
        colour: AnyPixels,
        alpha: AnyPixels | None,
        caught: Caught | None = None,
        *,
        keep_depth: bool,
    ) -> Picture:
        """The picture with these pixels, H×W×3 and H×W, of 16 bits only with `keep_depth`."""
        stored = (_to_u16 if self.depth > 8 else np.ascontiguousarray) if keep_depth else _to_u8
        return Picture(
            stored(colour),
            None if alpha is None else stored(alpha),
            self.profile,
            is_grey=self.is_grey,
            depth=self.depth,
            colour_chunks=self.colour_chunks,
            metadata=self.metadata,
            caught=caught or Caught(),
        )

    def without_metadata(self) -> Facts:
        """The same without what is known beside pixels and colours."""
        return replace(self, metadata=Metadata())


def facts_of(
    path: Path, image: Image, data: bytes, chunks: list[tuple[bytes, bytes]], say: Say
) -> Facts:
    """What an opened file says of its pixels. A line says what is damaged, or not read."""
    depth = bits_of(image, data)
    metadata, damaged = read_metadata(image, chunks)
    profile = image.info.get("icc_profile") or None
    if is_cmyk(image):
        bits = " of 8 bits" if depth > 8 else ""
        say(f"{path.name}: its CMYK colours are converted to sRGB{bits}")
        profile = None
    for kind in damaged:
        say(f"{path.name}: its {kind} data is damaged and left out")
    if (frames := frame_count(image)) > 1:
        say(f"{path.name}: contains {frames} images; only the first is upscaled")
    return Facts(
        path,
        depth,
        is_stored_grey(image),
        profile,
        _colour_chunks(image, data, chunks),
        metadata,
    )


def say_if_reduced(facts: Facts, say: Say, *, keep_depth: bool) -> None:
    """Say that more than 8 bits per channel are not kept."""
    if facts.depth > 8 and not keep_depth:
        say(f"{facts.path.name}: {facts.depth} bits per channel are reduced to 8")


def is_cmyk(image: Image) -> bool:
    """Whether its colours are inks, which are converted to sRGB."""
    return image.mode == "CMYK"


def bits_of(image: Image, data: bytes) -> int:
    """Bits per channel of the file; 16 for any number above 8, but of AVIF and HEIC."""
    if image.format in DEEP_FORMATS:
        return stored_bits(image, data)
    return 16 if is_deep(image) else 8


def png_chunks(path: Path, file: IO[bytes]) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG that are no pixels. Raises InputError: it is cut short."""
    file.seek(0)
    chunks = list(read_chunks(file))
    if not chunks or chunks[-1][0] != b"IEND":
        raise InputError(f"{path}: {DAMAGED}")
    return chunks


def orientation_of(image: Image, chunks: list[tuple[bytes, bytes]], *, upright: bool) -> int:
    """How EXIF says the pixels lie; those of a TIFF may come `upright`."""
    if upright and image.format == "TIFF":
        return 1
    with contextlib.suppress(Exception):  # damaged EXIF is reported elsewhere
        exif = exif_of(image, chunks)
        found = 1 if exif is None else exif.get(ORIENTATION, 1)
        return found if isinstance(found, int) and 1 <= found <= 8 else 1
    return 1


def _colour_chunks(
    image: Image, data: bytes, chunks: list[tuple[bytes, bytes]]
) -> tuple[tuple[bytes, bytes], ...]:
    if image.format in DEEP_FORMATS:
        return colour_chunk(image, data)
    return tuple((kind, part) for kind, part in chunks if kind in COLOUR and kind != b"iCCP")


def _to_u16(pixels: AnyPixels) -> Pixels:
    if pixels.dtype == np.uint8:  # what Pillow has no more than 8 bits of
        pixels = pixels.astype(np.uint16) * 257
    return np.ascontiguousarray(pixels)


def _to_u8(pixels: AnyPixels) -> Pixels:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.ascontiguousarray(pixels)
