"""A picture that is decoded from top to bottom, and what is known of it before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError
from ...notes import Say
from ..content.picture import AnyPixels, Picture
from ..facts import Facts, facts_of, orientation_of, png_chunks, say_if_reduced
from ..opening import DAMAGED, NO_MEMORY, frame_count, open_bytes, opened_header
from ..pixels import decoded
from .png import PngParts
from .tiff import TiffParts

PART_BYTES = 8 << 20
"""Of pixels, as the file has them, that are decoded at a time."""


@dataclass(frozen=True)
class ImageParts:
    """A PNG or TIFF; each iteration reads it from the start.

    The parts are pictures of some rows, in the order of the file, with everything that is known
    of the whole; their alpha is there wherever the file has one. Raises InputError while they are
    read: it is damaged.
    """

    width: int
    height: int
    facts: Facts
    files: PngParts | TiffParts
    keep_depth: bool

    def __iter__(self) -> Iterator[Picture]:
        """The parts from top to bottom."""
        done = 0
        for data in self.files:
            colour, alpha = self._decoded(data)
            if colour.shape[1] != self.width:
                break
            done += len(colour)
            made = self.facts.picture(colour, alpha, keep_depth=self.keep_depth)
            yield made
        if done != self.height:
            raise InputError(f"{self.facts.path}: {DAMAGED}")

    def without_metadata(self) -> ImageParts:
        """The same pixels and colours, and nothing else that is known."""
        return replace(self, facts=self.facts.without_metadata())

    def _decoded(self, data: bytes) -> tuple[AnyPixels, AnyPixels | None]:
        try:
            image = open_bytes(data)
            with image:
                colour, alpha, caught = decoded(self.facts, image, data)
        except MemoryError as error:
            size = f"{self.width}×{self.height}"
            raise InputError(f"{self.facts.path}: {NO_MEMORY} {size}") from error
        except InputError:
            raise
        except Exception as error:  # Pillow raises many kinds
            raise InputError(f"{self.facts.path}: {DAMAGED}") from error
        if caught.tells_of_damage:
            raise InputError(f"{self.facts.path}: {DAMAGED}")
        return colour, alpha


def open_parts(
    path: Path, *, keep_depth: bool, part_bytes: int | None = None, say: Say
) -> ImageParts | None:
    """The parts of a picture; `None` if it has to be decoded as a whole.

    That is: another format, a PNG that is interlaced or animated, a TIFF that is compressed in one
    piece, and what is stored turned. Lines are those of `read_image`.

    Raises InputError: it cannot be read.
    """
    part_bytes = part_bytes or PART_BYTES
    with opened_header(path) as (image, file):
        chunks = png_chunks(path, file) if image.format == "PNG" else []
        if orientation_of(image, chunks, upright=False) != 1:
            return None
        files: PngParts | TiffParts | None = None
        if image.format == "PNG" and frame_count(image) == 1:
            files = PngParts.of(path, chunks, part_bytes)
        elif image.format == "TIFF":
            files = TiffParts.of(path, part_bytes)
        if files is None:
            return None
        facts = facts_of(path, image, b"", chunks, say)
        say_if_reduced(facts, say, keep_depth=keep_depth)
        return ImageParts(*image.size, facts, files, keep_depth)
