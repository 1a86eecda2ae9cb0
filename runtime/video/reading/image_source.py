"""The images of a sequence as the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np

from ....common.closing import Closing
from ....common.errors import ConfigError, InputError
from ....common.images import Picture, Pixels, read_image
from ....common.images.content.alpha import bleed
from ....common.images.kind import read_kind
from ....common.notes import Say, say_on_stderr
from ..clip.colour import FULL, UNSPECIFIED, Colour, complete_colour
from ..clip.frame import ClipFacts, Frame, Image
from ..clip.image_sequence import ImageSequence
from ..clip.pixel_format import named_format
from ..clip.pool import FramePool
from ..clip.span import Span

_WHITE = 65535
_RGB_MATRIX = 0


@dataclass(frozen=True)
class _Wanted:
    path: Path
    pts: int
    is_context: bool


class ImageSource(Closing):
    """Reads the images of a sequence in their order; like `FileSource`, from one thread.

    Depth, colour and transparency are the most that any of the images has. Frame n is shown at
    n / rate seconds. Of a `span` the first frame gets time 0. Images up to the
    one at `after_pts` are left out, but for the last `context` of them.

    Raises:
        ConfigError: the sequence has no rate.
        InputError: at construction when the first image cannot be read, or the span has none; from
            the iteration when another cannot, or is of another size.
    """

    def __init__(
        self,
        sequence: ImageSequence,
        *,
        span: Span | None = None,
        after_pts: int | None = None,
        context: int = 0,
        assume_transfer: str | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        if sequence.rate is None:
            raise ConfigError(
                f"{sequence.pattern}: the images have no frame rate; name it, such as --fps 25"
            )
        self._sequence = sequence
        self._unit = 1 / sequence.rate
        self._say = say
        self._said: set[str] = set()
        self._pool = FramePool()
        self._keeps_alpha = False
        span = span or Span()
        self._first_number = ceil(span.start / self._unit)
        end = len(sequence.files) if span.end is None else ceil(span.end / self._unit)
        files = sequence.files[self._first_number : end]
        if not files:
            raise InputError(f"{sequence.pattern}: ends before {float(span.start):g} s")
        done = -1 if after_pts is None else after_pts
        self._wanted = [
            _Wanted(path, pts, pts <= done)
            for pts, path in enumerate(files)
            if pts > done - context
        ]
        self._first = read_image(files[0], keep_depth=True, say=self._say_once)
        self.facts = self._read_facts(files, assume_transfer)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    @property
    def stream_index(self) -> None:
        """Nothing is copied beside the images."""

    @property
    def start_seconds(self) -> Fraction:
        """The time in the sequence, in seconds, that the frames' time 0 is."""
        return self._first_number * self._unit

    def use_pool(self, pool: FramePool, *, keep_alpha: bool = False) -> None:
        """See `FileSource.use_pool`."""
        self._pool = pool
        self._keeps_alpha = keep_alpha and self.facts.pixel_format.has_alpha

    def __iter__(self) -> Iterator[Frame]:
        for wanted in self._wanted:
            picture = self._first
            if wanted.pts:
                picture = read_image(wanted.path, keep_depth=True, say=self._say_once)
            yield self._frame(wanted, picture)

    def _frame(self, wanted: _Wanted, picture: Picture) -> Frame:
        height, width = picture.bgr.shape[:2]
        if (width, height) != (self.facts.width_px, self.facts.height_px):
            raise InputError(
                f"{wanted.path}: is {width}×{height}, and the images before it are "
                f"{self.facts.width_px}×{self.facts.height_px}; a video has one size"
            )
        image = self._pool.take((height, width, 3))
        fill(image, picture.bgr)
        frame = Frame(image, wanted.pts, self._unit, 1, is_context=wanted.is_context)
        if self._keeps_alpha:
            frame.alpha = np.full((height, width), np.iinfo(image.dtype).max, image.dtype)
            if picture.alpha is not None:
                fill(frame.alpha, picture.alpha)
                np.copyto(image, bleed(image, frame.alpha))
        return frame

    def _read_facts(self, files: tuple[Path, ...], assume_transfer: str | None) -> ClipFacts:
        picture = self._first
        height, width = picture.bgr.shape[:2]
        if picture.icc_profile is not None:
            self._note("the colour profile of its images is left out; they are treated as sRGB")
        kinds = [kind for path in files if (kind := read_kind(path)) is not None]
        deep = picture.depth > 8 or any(kind.is_deep for kind in kinds)
        if any(kind.has_alpha for kind in kinds):
            name = "rgba64le" if deep else "rgba"
        elif picture.is_grey and all(kind.is_grey for kind in kinds):
            name = "gray16le" if deep else "gray"
        else:
            name = "rgb48le" if deep else "rgb24"
        return ClipFacts(
            width_px=width,
            height_px=height,
            time_base=self._unit,
            average_rate=self._sequence.rate,
            sample_aspect_ratio=Fraction(1),
            colour=self._colour(picture, assume_transfer),
            pixel_format=named_format(name),
            frame_count_estimate=len(files),
        )

    def _colour(self, picture: Picture, assume_transfer: str | None) -> Colour:
        stated = dict(picture.colour_chunks).get(b"cICP", bytes([UNSPECIFIED, UNSPECIFIED]))
        try:
            return complete_colour(
                matrix=_RGB_MATRIX,
                range_=FULL,
                primaries=stated[0],
                transfer=stated[1],
                is_rgb=True,
                lines=picture.bgr.shape[0],
                assume_transfer=assume_transfer,
            )
        except ValueError as error:
            raise InputError(f"{self._sequence.pattern}: {error}") from error

    def _say_once(self, line: str) -> None:
        """Say a note of an image, unless the same was said of another one."""
        _, _, what = line.partition(": ")
        if what not in self._said:
            self._said.add(what)
            self._say(line)

    def _note(self, line: str) -> None:
        self._say(f"{self._sequence.pattern.name}: {line}")


def fill(out: Image, pixels: Pixels) -> None:
    """Copy pixels, from 8 bits to 16 or back if the arrays differ."""
    if pixels.dtype == out.dtype:
        np.copyto(out, pixels)
    elif out.dtype == np.uint16:
        np.copyto(out, pixels.astype(np.uint16) * 257)
    else:
        rounded = (pixels.astype(np.uint32) * 255 + _WHITE // 2) // _WHITE
        np.copyto(out, rounded.astype(np.uint8))
