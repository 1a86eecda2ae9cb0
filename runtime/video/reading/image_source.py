"""The images of a sequence as the frames of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

from ....common.errors import InputError
from ....common.images import Picture, read_image
from ....common.images.kind import read_kind
from ....common.notes import Say, once, say_on_stderr
from ..clip.colour_tags import UNSPECIFIED, Colour, complete_colour
from ..clip.frame import ClipFacts, Frame
from ..clip.image_sequence import ImageSequence
from .clip_source import PictureSource, picture_facts
from .options import ReadOptions


@dataclass(frozen=True)
class _Wanted:
    path: Path
    pts: int
    is_context: bool


class ImageSource(PictureSource):
    """Reads the images of a sequence in their order; see `ReadOptions` for which.

    Depth, colour and transparency are the most that any of the images has. Frame n is shown at
    n / rate seconds.

    Raises:
        ConfigError: the sequence has no rate.
        InputError: at construction when the first image cannot be read, or the span has none; from
            the iteration when another cannot, or is of another size.
    """

    def __init__(
        self,
        sequence: ImageSequence,
        options: ReadOptions | None = None,
        *,
        say: Say = say_on_stderr,
    ) -> None:
        super().__init__()
        options = options or ReadOptions()
        self._sequence = sequence
        self._unit = 1 / sequence.required_rate()
        self._say = say
        self._say_once = once(say)
        span = options.span
        self._first_number = ceil(span.start / self._unit)
        end = len(sequence.files) if span.end is None else ceil(span.end / self._unit)
        files = sequence.files[self._first_number : end]
        if not files:
            raise InputError(f"{sequence.pattern}: ends before {float(span.start):g} s")
        done = -1 if options.after_pts is None else options.after_pts
        self._wanted = [
            _Wanted(path, pts, pts <= done)
            for pts, path in enumerate(files)
            if pts > done - options.context
        ]
        self._first = read_image(files[0], keep_depth=True, say=self._say_once)
        self.facts = self._read_facts(files, options.assume_transfer)

    @property
    def start_seconds(self) -> Fraction:
        """The time in the sequence, in seconds, that the frames' time 0 is."""
        return self._first_number * self._unit

    def __iter__(self) -> Iterator[Frame]:
        for wanted in self._wanted:
            picture = self._first
            if wanted.pts:
                picture = read_image(wanted.path, keep_depth=True, say=self._say_once)
            self._require_size(wanted.path, picture)
            frame = self._frame(picture.bgr, picture.alpha, wanted.pts, 1)
            frame.is_context = wanted.is_context
            yield frame

    def _require_size(self, path: Path, picture: Picture) -> None:
        height, width = picture.bgr.shape[:2]
        if (width, height) != (self.facts.width_px, self.facts.height_px):
            raise InputError(
                f"{path}: is {width}×{height}, and the images before it are "
                f"{self.facts.width_px}×{self.facts.height_px}; a video has one size"
            )

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
        colour = self._colour(picture, assume_transfer)
        rate = self._sequence.rate
        return picture_facts((width, height), self._unit, rate, colour, name, len(files))

    def _colour(self, picture: Picture, assume_transfer: str | None) -> Colour:
        stated = dict(picture.colour_chunks).get(b"cICP", bytes([UNSPECIFIED, UNSPECIFIED]))
        try:
            return complete_colour(
                primaries=stated[0],
                transfer=stated[1],
                is_rgb=True,
                lines=picture.bgr.shape[0],
                assume_transfer=assume_transfer,
            )
        except ValueError as error:
            raise InputError(f"{self._sequence.pattern}: {error}") from error

    def _note(self, line: str) -> None:
        self._say(f"{self._sequence.pattern.name}: {line}")
