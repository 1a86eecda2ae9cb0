"""The frames of an animated image."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from ..errors import InputError
from .content.picture import Pixels
from .content.png_chunks import read_chunks
from .decoding import decode_by_pillow
from .opening import frame_count

if TYPE_CHECKING:
    from PIL.Image import Image


def frame_numbers(image: Image) -> range:
    """Which pictures are frames: not the first one of an APNG that is for programs that show no
    animations.
    """
    return range(int(bool(getattr(image, "default_image", False))), frame_count(image))


def frame_milliseconds(image: Image, data: bytes) -> list[Fraction] | None:
    """How long each frame of an animated WebP or APNG is shown, exactly; `data` are its bytes.

    No picture is decoded. `None`: it is damaged, or of another format.
    """
    if image.format == "PNG":
        control = (chunk for kind, chunk in read_chunks(io.BytesIO(data)) if kind == b"fcTL")
        parts = [struct.unpack_from(">HH", chunk, 20) for chunk in control if len(chunk) >= 24]
        times = [Fraction(1000 * part, whole or 100) for part, whole in parts]
    else:
        times = [Fraction(time) for time in _times_of_webp(data)]
    return times if len(times) == len(frame_numbers(image)) else None


def _times_of_webp(data: bytes) -> Iterator[int]:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return
    start = 12
    while len(data) - start >= 24:
        kind, size = struct.unpack_from("<4sI", data, start)
        if kind == b"ANMF":
            yield int.from_bytes(data[start + 20 : start + 23], "little")
        start += 8 + size + size % 2


def read_frames(name: object, image: Image) -> Iterator[tuple[Pixels, Pixels | None, int]]:
    """Colours and transparency of each frame, see `decode_by_pillow`, and its milliseconds.

    `name` is what errors call the file.

    Raises InputError: one is damaged.
    """
    numbers = frame_numbers(image)
    for number in numbers:
        try:
            image.seek(number)
            colours, alpha = decode_by_pillow(image)
        except MemoryError:
            raise
        except Exception as error:  # Pillow raises many kinds on damaged files
            raise InputError(f"{name}: frame {number + 1} of {numbers.stop} is damaged") from error
        yield colours, alpha, round(float(image.info.get("duration", 0)))
