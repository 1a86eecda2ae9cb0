"""The memory and time that a picture needs, computed from its header."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...common.errors import InputError
from ...common.images.writing import check_image_size
from ...common.notes import Say
from ..machine.host import available_memory_bytes
from ..tiling import TilePlan
from .progress import duration
from .strips import StripUpscaler

# Bytes a pixel: of the input while it is read, and of a result that is in memory as a whole.
_READ_BYTES, _WHOLE_BYTES = 7, 7
# For each pixel of the largest part of a file that is read in parts.
_PART_PIXEL_BYTES = 20

Seconds = Callable[[int, int], float | None]


@dataclass(frozen=True)
class Needs:
    """A picture, the size of its result, and how it is made."""

    source: Path
    target: Path
    width: int
    height: int
    scale: float
    plan: TilePlan | None
    strips: StripUpscaler | None
    sample_bytes: int = 1
    part_rows: int | None = None
    """Of the largest part, if it is read strip by strip."""

    def check(self, large_pixels: int, inform: Say, seconds: Seconds) -> None:
        """Say what a picture takes whose result has so many pixels.

        Raises InputError: there is less memory. Raises OutputError: the target's format cannot hold
        the result.
        """
        width, height = (round(side * self.scale) for side in (self.width, self.height))
        check_image_size(self.target, width, height)
        self._refuse_too_large()
        needed = _gigabytes(self.memory_bytes)
        if width * height >= large_pixels:
            took = seconds(self.height, self.width)
            inform(
                f"{self.source.name}: {self.width}×{self.height} becomes {width}×{height}, "
                f"{_gigabytes(3 * self.sample_bytes * width * height)} of pixels; this takes about "
                f"{needed} of memory" + ("" if took is None else f" and {duration(took)}")
            )

    def _refuse_too_large(self) -> None:
        needed = _gigabytes(self.memory_bytes)
        available = available_memory_bytes()
        if available is None or self.memory_bytes <= available:
            return
        remedy = "use a smaller picture or a smaller --scale"
        if self.plan is None and self.strips is not None and self.strips.is_possible:
            remedy = "write it as .png or .tif, which is made in strips"
        elif self.plan is not None and self.part_rows is None:
            remedy = "convert it to a PNG that is not interlaced, which is read in strips"
        raise InputError(
            f"{self.source}: as {self.target.suffix}, {self.width}×{self.height} ×{self.scale:g} "
            f"takes about {needed} of memory, and {_gigabytes(available)} are free; {remedy}"
        )

    @property
    def memory_bytes(self) -> int:
        """The most that is taken at a time, about."""
        pixels = self.width * self.height * self.sample_bytes
        if self.plan is not None and self.strips is not None:
            working = self.strips.memory_bytes(self.height, self.width)
            if self.part_rows is not None:
                part = self.part_rows * self.width * self.sample_bytes
                return working + max(self.strips.sizes.reading_bytes, _PART_PIXEL_BYTES * part)
            return max(_READ_BYTES * pixels, 3 * pixels + working)
        return _READ_BYTES * pixels + round(_WHOLE_BYTES * pixels * self.scale**2)


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
