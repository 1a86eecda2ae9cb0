"""Still images: read upright, with everything that matters."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import InputError
from ..libraries.native_output import Caught
from .content.metadata import ORIENTATION, exif_of, read_metadata
from .content.picture import AnyPixels, Metadata, Picture, Pixels
from .content.png_chunks import COLOUR, read_chunks
from .decoding import (
    cmyk_as_rgb,
    decode_by_opencv,
    decode_by_pillow,
    is_deep,
    is_stored_grey,
    load_quietly,
    suits_opencv,
    turned,
)
from .formats.deep import DEEP_FORMATS, colour_chunk, stored_bits
from .formats.deep import decode as decode_deep
from .formats.deep_tiff import decode_planes, is_in_planes, straight
from .formats.jxl_header import bits_per_channel as jxl_bits
from .opening import DAMAGED, frame_count, opened, opened_header

if TYPE_CHECKING:
    from PIL.Image import Image

Say = Callable[[str], None]


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
        if orientation_of(image, chunks, upright=True) > 4:
            width, height = height, width
        data = b""
        if image.format in DEEP_FORMATS:
            file.seek(0)
            data = file.read()
        return Outline(width, height, frame_count(image), _bits(image, data))


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
    depth = _bits(image, data)
    metadata, damaged = read_metadata(image, chunks)
    profile = image.info.get("icc_profile") or None
    if _is_cmyk(image):
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


def decoded(
    facts: Facts, image: Image, data: bytes, *, quiet: bool = True
) -> tuple[AnyPixels, AnyPixels | None, Caught]:
    """Colours, H×W×3 BGR of 8 or 16 bits, transparency, and what libraries wrote.

    They lie as they are stored. Raises InputError: they are damaged, or of neither 8 nor 16 bits.
    """
    if _is_cmyk(image):
        image = _converted(facts.path, image, quiet=quiet)
    return _pixels(facts.path, image, data, facts.depth, quiet)


def say_if_reduced(facts: Facts, say: Say, *, keep_depth: bool) -> None:
    """Say that more than 8 bits per channel are not kept."""
    if facts.depth > 8 and not keep_depth:
        say(f"{facts.path.name}: {facts.depth} bits per channel are reduced to 8")


def _read(
    path: Path, image: Image, data: bytes, keep_depth: bool, quiet: bool, say: Say
) -> Picture:
    chunks = png_chunks(path, io.BytesIO(data)) if image.format == "PNG" else []
    orientation = orientation_of(image, chunks, upright=not suits_opencv(image))
    facts = facts_of(path, image, data, chunks, say)
    colour, alpha, caught = decoded(facts, image, data, quiet=quiet)
    if caught.tells_of_damage:
        say(f"{path.name}: is damaged; the part that could be read is upscaled")
    colour = turned(colour, orientation)
    alpha = None if alpha is None or is_opaque(alpha) else turned(alpha, orientation)
    _say_what_is_not_read(path, image, data, facts.depth, say)
    say_if_reduced(facts, say, keep_depth=keep_depth)
    return facts.picture(colour, alpha, caught, keep_depth=keep_depth)


def _is_cmyk(image: Image) -> bool:
    return image.mode == "CMYK"


def _bits(image: Image, data: bytes) -> int:
    """Bits per channel of the file; 16 for any number above 8, but of AVIF and HEIC."""
    if image.format in DEEP_FORMATS:
        return stored_bits(image, data)
    return 16 if is_deep(image) else 8


def _say_what_is_not_read(path: Path, image: Image, data: bytes, depth: int, say: Say) -> None:
    """Pillow's plug-in for JPEG XL reads colours of any depth as 8 bits."""
    bits = jxl_bits(data) if image.format == "JXL" else depth
    if bits > depth:
        say(f"{path.name}: {bits} bits per channel are read as {depth}; convert it to PNG first")


def _colour_chunks(
    image: Image, data: bytes, chunks: list[tuple[bytes, bytes]]
) -> tuple[tuple[bytes, bytes], ...]:
    if image.format in DEEP_FORMATS:
        return colour_chunk(image, data)
    return tuple((kind, part) for kind, part in chunks if kind in COLOUR and kind != b"iCCP")


def _pixels(
    path: Path, image: Image, data: bytes, depth: int, quiet: bool
) -> tuple[AnyPixels, AnyPixels | None, Caught]:
    """Colours, H×W×3 BGR of 8 or 16 bits, transparency, and what libraries wrote."""
    _require_integers(path, image)
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
        raise InputError(f"{path}: has {raw.dtype} pixels; convert it to 8 or 16 bits first")
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
        raise InputError(f"{path}: has {kind} pixels; convert it to 8 or 16 bits first")


def _converted(path: Path, image: Image, *, quiet: bool) -> Image:
    try:
        if quiet:
            load_quietly(image)
        return cmyk_as_rgb(image)
    except MemoryError:
        raise
    except Exception as error:
        raise InputError(f"{path}: {DAMAGED}") from error


def png_chunks(path: Path, file: IO[bytes]) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG that are no pixels. Raises InputError: it is cut short."""
    file.seek(0)
    chunks = list(read_chunks(file))
    if not chunks or chunks[-1][0] != b"IEND":
        raise InputError(f"{path}: {DAMAGED}")
    return chunks


def orientation_of(image: Image, chunks: list[tuple[bytes, bytes]], *, upright: bool) -> int:
    """How EXIF says the pixels lie; Pillow gives those of a TIFF `upright`."""
    if upright and image.format == "TIFF":
        return 1
    with contextlib.suppress(Exception):  # damaged EXIF is said elsewhere
        exif = exif_of(image, chunks)
        found = 1 if exif is None else exif.get(ORIENTATION, 1)
        return found if isinstance(found, int) and 1 <= found <= 8 else 1
    return 1


def is_opaque(alpha: AnyPixels) -> bool:
    """Whether nothing of it is transparent."""
    return int(alpha.min()) == np.iinfo(alpha.dtype).max


def _to_u16(pixels: AnyPixels) -> Pixels:
    if pixels.dtype == np.uint8:  # what Pillow has no more than 8 bits of
        pixels = pixels.astype(np.uint16) * 257
    return np.ascontiguousarray(pixels)


def _to_u8(pixels: AnyPixels) -> Pixels:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.ascontiguousarray(pixels)
