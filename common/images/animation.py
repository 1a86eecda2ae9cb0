"""The frames of an animated image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import InputError
from .content.picture import Pixels
from .decoding import decode_by_pillow
from .opening import frame_count

if TYPE_CHECKING:
    from PIL.Image import Image


def frame_numbers(image: Image) -> range:
    """Which pictures are frames: not the first one of an APNG that is for programs that show no
    animations.
    """
    return range(int(bool(getattr(image, "default_image", False))), frame_count(image))


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
