"""Uncompressed video for the next program in a pipe."""

from __future__ import annotations

from fractions import Fraction
from io import FileIO

import numpy as np

from ...common.errors import OutputError
from ...common.notes import Say, say_on_stderr
from ..video.clip.colour import LIMITED, UNSPECIFIED, complete_colour
from ..video.clip.frame import ClipFacts, Frame
from ..video.clip.pixels import FromBgr, even_size

_DEFAULT_RATE = Fraction(30)
# Times in whole milliseconds depart by less than this from even ones.
_UNEVEN_FRAMES = Fraction(1, 2)


class Y4mSink:
    """Writes YUV4MPEG2, 4:2:0, limited range, to an unbuffered stream.

    The format has a fixed frame rate and cannot name a colour matrix, so that the one is used that
    readers assume: BT.709 from 720 lines up, BT.601 below. That a clip's times are uneven is
    said, once.

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
    ) -> None:
        self._stream = stream
        self._say = say
        self._first_seconds: Fraction | None = None
        self._frames = 0
        self._even = True
        self._shown = shown
        width, height = even_size(*size_px)
        colour = complete_colour(
            matrix=UNSPECIFIED,
            range_=LIMITED,
            primaries=UNSPECIFIED,
            transfer=UNSPECIFIED,
            is_rgb=False,
            lines=height,
        )
        self._from_bgr = FromBgr("yuv420p", colour, (width, height))
        rate, aspect = facts.average_rate or _DEFAULT_RATE, facts.sample_aspect_ratio
        self._rate = rate
        self._header = (
            f"YUV4MPEG2 W{width} H{height} F{rate.numerator}:{rate.denominator} Ip "
            f"A{aspect.numerator}:{aspect.denominator} C420mpeg2 XCOLORRANGE=LIMITED\n"
        ).encode()

    def write(self, frame: Frame) -> None:
        self._check_time(frame.pts * frame.time_base)
        picture = self._from_bgr(frame.bgr_u8)
        self._put(self._header + b"FRAME\n")
        self._header = b""
        for number, plane in enumerate(picture.planes):
            width = picture.width if number == 0 else picture.width // 2
            rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
            self._put(np.ascontiguousarray(rows[: plane.height, :width]).data.cast("B"))

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

    def _put(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError as error:
            reason = "its reader has gone" if isinstance(error, BrokenPipeError) else error.strerror
            raise OutputError(f"{self._shown}: cannot be written to ({reason})") from error
