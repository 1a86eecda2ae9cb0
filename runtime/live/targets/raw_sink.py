"""Frames without any header, for programs that know what comes."""

from __future__ import annotations

from io import FileIO

import numpy as np

from ....common.errors import ConfigError
from ....common.notes import Say, say_on_stderr
from ...video.clip.frame import ClipFacts, Frame
from ...video.clip.pixel_format import PixelFormat, named_format
from ...video.writing.encoders import RAW_FORMATS, EncoderOptions
from .address import Target, TargetKind
from .y4m_sink import alpha_left_out, put


def raw_format(options: EncoderOptions, *, most_bits: int = 16) -> PixelFormat | None:
    """The format of raw frames that is asked for, with 8 bits if there are no more; or `None`."""
    name = options.pixel_format
    if name not in RAW_FORMATS:
        return None
    return named_format(name if most_bits > 8 else f"{name[:3]}24")


def check_raw(options: EncoderOptions, target: Target) -> None:
    """Raise ConfigError if raw frames are asked for where they cannot go."""
    if raw_format(options) is not None and target.kind is not TargetKind.Y4M:
        raise ConfigError(
            f"{target.shown}: {options.pixel_format} is for raw frames on standard output; write "
            "to -, or name a pixel format of YUV"
        )


class RawSink:
    """Writes each frame as height × width × 3 numbers of 8 bits, or of 16, the lower byte first,
    over their full range. A line says what comes.

    Raises:
        OutputError: from `write`, when the reader has gone.
    """

    def __init__(
        self,
        stream: FileIO,
        facts: ClipFacts,
        size_px: tuple[int, int],
        shown: str,
        stored: PixelFormat,
        say: Say = say_on_stderr,
    ) -> None:
        self._stream = stream
        self._shown = shown
        self._is_rgb = stored.name.startswith("rgb")
        self._dtype = np.dtype("<u2" if stored.is_deep else "u1")
        width, height = size_px
        rate = f", {float(facts.average_rate):.4g} fps" if facts.average_rate else ""
        hdr = f", {facts.colour.hdr} of BT.2020" if facts.colour.hdr else ""
        say(f"{shown}: raw frames, {stored.name}, {width}×{height}{rate}{hdr}")
        if facts.pixel_format.has_alpha:
            say(alpha_left_out(shown))

    def write(self, frame: Frame) -> None:
        pixels = frame.bgr[..., ::-1] if self._is_rgb else frame.bgr
        put(self._stream, np.ascontiguousarray(pixels, self._dtype).data.cast("B"), self._shown)

    def finish(self) -> None:
        """Nothing waits: the stream is not buffered."""
