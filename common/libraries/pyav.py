"""What differs between the releases of PyAV that are supported, 18 and 19.

From 19 on, tags that are not UTF-8 are read and written as Python does it with file names
("surrogateescape"), byte for byte; before, how was an argument. Ratios such as units of time are
`av.AVRational` and never `None`; before, they were fractions or `None`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol, TypedDict, Unpack, cast

import av
from av.container import InputContainer, OutputContainer

_MAJOR = int(av.__version__.split(".", 1)[0])
_TAGS = {"metadata_errors": "surrogateescape"} if _MAJOR < 19 else {}


class _Opening(TypedDict, total=False):
    """Arguments of `av.open` in all releases."""

    format: str
    options: dict[str, str]
    container_options: dict[str, str]
    buffer_size: int
    timeout: tuple[float, float]


class Ratio(Protocol):
    """A fraction of the standard library or of PyAV."""

    @property
    def numerator(self) -> int: ...
    @property
    def denominator(self) -> int: ...


def open_to_read(file: object, **arguments: Unpack[_Opening]) -> InputContainer:
    """`av.open` for reading; tags that are not UTF-8 keep their bytes, as surrogates.

    Raises what `av.open` raises: av.FFmpegError, OSError.
    """
    return cast("InputContainer", cast("Any", av.open)(file, "r", **_TAGS, **arguments))


def open_to_write(file: object, **arguments: Unpack[_Opening]) -> OutputContainer:
    """`av.open` for writing; tags that `open_to_read` gave are written with the same bytes.

    Raises what `av.open` raises: av.FFmpegError, OSError.
    """
    return cast("OutputContainer", cast("Any", av.open)(file, "w", **_TAGS, **arguments))


class Timed(Protocol):
    """A stream, packet or frame of PyAV."""

    @property
    def time_base(self) -> Ratio | None: ...


def unit_of(timed: Timed) -> Fraction:
    """The unit of its times in seconds; FFmpeg's own unit, 1 µs, where it has none."""
    return exact(timed.time_base) or Fraction(1, av.time_base)


def exact(ratio: Ratio | None) -> Fraction | None:
    """A ratio of PyAV as a fraction; `None` where it is not set: 0, or a denominator of 0."""
    if ratio is None or not (ratio.numerator and ratio.denominator):
        return None
    return Fraction(ratio.numerator, ratio.denominator)
