"""Uncompressed video for the next program in a pipe."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from io import FileIO

import numpy as np

from ....common.errors import ConfigError, OutputError
from ....common.notes import Say, say_on_stderr
from ...video.clip.bgr import FromBgr, even_size
from ...video.clip.colour_tags import LIMITED, complete_colour
from ...video.clip.frame import ClipFacts, Frame
from ...video.clip.pixel_format import PixelFormat, named_format
from ...video.clip.planes import plane_array
from ...video.writing.encoders import SAME, EncoderOptions

_DEFAULT_RATE = Fraction(30)
_BITS = (8, 10, 12, 16)
# Times in whole milliseconds depart by less than this from even ones.
_UNEVEN_FRAMES = Fraction(1, 2)


def y4m_format(source: PixelFormat, options: EncoderOptions) -> PixelFormat:
    """The pixel format for a clip: the one that is asked for, or the depth and chroma of its own.

    Raises ConfigError: y4m has no such format.
    """
    name = options.pixel_format
    if name not in (None, SAME):
        if options.stored_format.is_rgb:
            raise ConfigError(
                f"y4m has no pixel format {name!r}: use one of YUV, such as yuv420p10le"
            )
        return options.stored_format
    bits = next((known for known in _BITS if known >= source.bits), _BITS[-1])
    base = ("gray", "yuv420p", "yuv422p", "yuv444p")[source.chroma]
    return named_format(base if bits == 8 else f"{base}{bits}le")


def _colour_space(stored: PixelFormat) -> str:
    """The C of a header, as FFmpeg writes and reads it, with what older programs look at."""
    if stored.chroma == 0:
        return "Cmono" if stored.bits == 8 else f"Cmono{stored.bits}"
    if stored.name == "yuv420p":
        return "C420mpeg2"
    samples = stored.chroma_name.replace(":", "")
    if not stored.is_deep:
        return f"C{samples}"
    return f"C{samples}p{stored.bits} XYSCSS={samples}P{stored.bits}"


class Y4mSink:
    """Writes YUV4MPEG2 of limited range, with the depth and chroma of `stored`, to an unbuffered
    stream.

    The format has a fixed frame rate and cannot name a colour matrix, so that the one is used that
    readers assume: BT.709 from 720 lines up, BT.601 below. HDR keeps its own, and a line says that
    the user must tell the next program. A line says, once, that a clip's times are uneven.

    Raises:
        OutputError: from `write`, when the reader has gone.
    """

    def __init__(
        self,
        stream: FileIO,
        facts: ClipFacts,
        size_px: tuple[int, int],
        shown: str,
        say: Say = say_on_stderr,
        *,
        stored: PixelFormat | None = None,
    ) -> None:
        self._stream = stream
        self._say = say
        self._first_seconds: Fraction | None = None
        self._frames = 0
        self._even = True
        self._shown = shown
        if facts.pixel_format.has_alpha:
            say(alpha_left_out(shown))
        stored = stored or named_format("yuv420p")
        width, height = even_size(*size_px, stored.chroma)
        colour = complete_colour(lines=height)
        if facts.colour.hdr is not None:
            colour = replace(facts.colour, range=LIMITED)
            say(
                f"{shown}: y4m cannot store that the video is HDR ({facts.colour.hdr}, BT.2020); "
                "tell the program "
                "that reads it"
            )
        self._from_bgr = FromBgr(stored.name, colour, (width, height))
        self._bits = stored.bits
        rate, aspect = facts.average_rate or _DEFAULT_RATE, facts.sample_aspect_ratio
        self._rate = rate
        self._header = (
            f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip "
            f"A{aspect.numerator}:{aspect.denominator} {_colour_space(stored)} "
            "XCOLORRANGE=LIMITED\n"
        ).encode()

    def write(self, frame: Frame) -> None:
        self._check_time(frame.pts * frame.time_base)
        picture = self._from_bgr(frame.bgr)
        put(self._stream, self._header + b"FRAME\n", self._shown)
        self._header = b""
        for plane in picture.planes:
            part = np.ascontiguousarray(plane_array(plane, self._bits))
            put(self._stream, part.data.cast("B"), self._shown)

    def finish(self) -> None:
        """Nothing waits: the stream is not buffered."""

    def _check_time(self, seconds: Fraction) -> None:
        if self._first_seconds is None:
            self._first_seconds = seconds
        due = self._first_seconds + self._frames / self._rate
        self._frames += 1
        if self._even and abs(seconds - due) > _UNEVEN_FRAMES / self._rate:
            self._even = False
            self._say(
                f"{self._shown}: y4m has one frame rate, {float(self._rate):.4g} fps here; the "
                "uneven times of the source are lost"
            )


def alpha_left_out(shown: str) -> str:
    """The line for the user about a source with transparency."""
    return f"{shown}: the alpha channel is left out; files of prores, ffv1 and vp9 keep it"


def put(stream: FileIO, data: bytes | memoryview, shown: str) -> None:
    """Write all of it. Raises OutputError: the reader has gone, or the disk is full."""
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[stream.write(rest) :]
    except OSError as error:
        reason = "its reader has gone" if isinstance(error, BrokenPipeError) else error.strerror
        raise OutputError(f"{shown}: cannot be written to ({reason})") from error
