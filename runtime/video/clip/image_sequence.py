"""Image sequences: files with a number in their name, such as `frame_%05d.png`."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Self

from ....common.errors import ConfigError, InputError, OutputError
from ....common.images import check_image_suffix

_NUMBER = re.compile(r"%(0\d{1,2})?d")
_RATE = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,9}/\d{1,9}")
_MOST_FPS = 1000
_NTSC = Fraction(1000, 1001)
_NTSC_DIGITS = Fraction(5, 1000)


def has_number(name: str) -> bool:
    """Whether a file name has a place for the number of an image."""
    return _NUMBER.search(name) is not None


def with_number(name: str, number: int) -> str:
    """The name of image `number`."""
    return _NUMBER.sub(lambda match: f"{number:{match[1] or ''}d}", name, count=1)


def numbered_files(pattern: Path) -> dict[int, Path]:
    """The files of a sequence that are there, by their numbers, in order."""
    match = _NUMBER.search(pattern.name)
    if match is None or not pattern.parent.is_dir():
        return {}
    before, after = pattern.name[: match.start()], pattern.name[match.end() :]
    name = re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}")
    found = {}
    for path in pattern.parent.iterdir():
        digits = name.fullmatch(path.name)
        if digits and with_number(pattern.name, int(digits[1])) == path.name:
            found[int(digits[1])] = path
    return dict(sorted(found.items()))


@dataclass(frozen=True)
class ImageSequence:
    """The images of a sequence, which are frames of a video if they have a rate."""

    pattern: Path
    files: tuple[Path, ...]
    rate: Fraction | None = None
    """Frames per second."""

    @classmethod
    def find(cls, pattern: Path) -> Self:
        """All images of that name, whatever number they begin with.

        Raises InputError: there are none, or one in the middle is missing.
        """
        found = require_files(pattern)
        if gap := gap_in(pattern, list(found)):
            raise InputError(f"{pattern}: {gap}")
        return cls(pattern, tuple(found.values()))

    def required_rate(self) -> Fraction:
        """Frames per second. Raises ConfigError: it was not named."""
        if self.rate is None:
            raise no_rate(self.pattern)
        return self.rate

    def at_rate(self, rate: Fraction) -> Self:
        """The same images as frames of a video."""
        return replace(self, rate=rate)


def no_rate(pattern: Path) -> ConfigError:
    """The error of a sequence whose frames per second were not named."""
    return ConfigError(f"{pattern}: the images have no frame rate; name it, such as --fps 25")


def require_files(pattern: Path) -> dict[int, Path]:
    """Like `numbered_files`. Raises InputError: there are none."""
    found = numbered_files(pattern)
    if not found:
        raise InputError(f"{pattern}: no file of this sequence is there")
    return found


def gap_in(pattern: Path, numbers: list[int]) -> str:
    """What is missing of a sequence, as a clause, or "" if nothing is."""
    for number, following in pairwise(numbers):
        if following != number + 1:
            missing = with_number(pattern.name, number + 1)
            return f"{missing} is missing, the sequence goes from {numbers[0]} to {numbers[-1]}"
    return ""


def check_images(pattern: Path, *, overwrite: bool, source: Path | None = None) -> None:
    """Raise OutputError: images of that name cannot be written, are those of the `source`, another
    sequence, or there are some already.
    """
    check_image_suffix(pattern)
    folder = pattern.parent
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{pattern}: {folder} is a file; name a folder")
    if not folder.exists() and not folder.parent.is_dir():
        raise OutputError(f"{pattern}: the folder {folder.parent} does not exist; create it first")
    there = numbered_files(pattern)
    read = numbered_files(source) if source is not None else {}
    originals = {path.resolve() for path in read.values()}
    if any(path.resolve() in originals for path in there.values()):
        raise OutputError(f"{pattern}: is the input itself; name other files")
    found = next(iter(there.values()), None)
    if found is not None and not overwrite:
        raise OutputError(f"{pattern}: {found.name} already exists; pass --overwrite to replace it")


def parse_rate(text: str) -> Fraction:
    """The frames per second of "25", "24000/1001" or "23.976", which is short for 24000/1001.

    Raises ConfigError: it is no such number.
    """
    rate = Fraction(0)
    if _RATE.fullmatch(text.strip()):  # Fraction takes "1e999999999", and for ever
        with contextlib.suppress(ZeroDivisionError):
            rate = Fraction(text.strip())
    if not 0 < rate <= _MOST_FPS:
        raise ConfigError(
            f"{text[:40]!r} is not a frame rate: write for instance 25, 23.976 or 24000/1001"
        )
    film = round(rate / _NTSC) * _NTSC
    is_rounded = "." in text and rate.denominator > 1 and abs(film - rate) < _NTSC_DIGITS
    return film if is_rounded and film else rate
