"""How an encoder is set up for a clip, and the errors when it fails."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.codec.context import Flags

from ....common.errors import OutputError
from ....common.files import describe_os_error
from ..clip.bgr import even_size
from ..clip.colour_tags import LIMITED
from ..clip.frame import ClipFacts
from ..clip.hdr import encoder_options
from ..clip.pixel_format import PixelFormat
from .encoders import EncoderOptions

DEFAULT_RATE = Fraction(25)
"""Of clips that state none."""
_FASTEST = {"libsvtav1": Fraction(240)}  # frames a second that it takes; their times are kept


def options_for(options: EncoderOptions, facts: ClipFacts) -> dict[str, str]:
    """The options in FFmpeg's words for one clip, which may have metadata of HDR."""
    settings = options.library_options()
    for key, value in encoder_options(options.encoder.library, facts.hdr).items():
        settings[key] = ":".join(part for part in (settings.get(key), value) if part)
    return settings


def as_stored(facts: ClipFacts, options: EncoderOptions) -> ClipFacts:
    """The facts of what is written: ProRes has limited range only."""
    if options.encoder.library != "prores_ks":
        return facts
    return replace(facts, colour=replace(facts.colour, range=LIMITED))


def coded_size(size_px: tuple[int, int], options: EncoderOptions) -> tuple[int, int]:
    """The size that frames are padded to for the chroma that they are stored in."""
    stored = options.stored_format
    if options.encoder.library == "prores_ks":  # which pads by itself
        return size_px
    return even_size(*size_px, stored.chroma)


def configure(
    context: av.VideoCodecContext, facts: ClipFacts, stored: PixelFormat, size_px: tuple[int, int]
) -> None:
    """Set an encoder up for a clip, whose times and colours it keeps."""
    os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes a page about itself otherwise
    context.width, context.height = size_px
    context.pix_fmt = stored.name
    context.time_base = facts.time_base
    rate = facts.average_rate or DEFAULT_RATE
    context.framerate = min(rate, _FASTEST.get(context.name, rate))
    context.flags |= Flags.frame_duration
    context.sample_aspect_ratio = facts.sample_aspect_ratio
    context.color_primaries = facts.colour.primaries
    context.color_trc = facts.colour.transfer
    if not stored.is_rgb:
        context.colorspace = facts.colour.matrix
        context.color_range = facts.colour.range


@contextlib.contextmanager
def output_errors(target: Path) -> Iterator[None]:
    """Turn what the block raises into an `OutputError` about `target`."""
    try:
        yield
    except av.FFmpegError as error:
        if error.errno is not None and 0 < error.errno < 1000:  # the system's, not FFmpeg's own
            system_error = OSError(error.errno, error.strerror)
            raise OutputError(describe_os_error(target, system_error)) from error
        raise OutputError(f"{target}: cannot be encoded ({error.strerror})") from error
    except OSError as error:
        raise OutputError(describe_os_error(target, error)) from error


def scaled_matrix(facts: ClipFacts, size_px: tuple[int, int]) -> tuple[int, ...] | None:
    """The display matrix of a clip that is made larger: its translation is in pixels."""
    matrix = facts.display_matrix
    if matrix is None:
        return None
    width_ratio = Fraction(size_px[0], facts.width_px)
    height_ratio = Fraction(size_px[1], facts.height_px)
    # Rotated by a quarter turn, x comes from the height.
    turned = matrix[0] == 0 and matrix[4] == 0
    ratios = (height_ratio, width_ratio) if turned else (width_ratio, height_ratio)
    return (*matrix[:6], round(matrix[6] * ratios[0]), round(matrix[7] * ratios[1]), matrix[8])
