"""What a sink must know of a file, from its headers and its first frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import av

from ....common.libraries.pyav import exact
from ....common.notes import Say
from ..clip.colour_tags import Colour
from ..clip.frame import ClipFacts
from ..clip.hdr import HdrMetadata, read_hdr
from ..clip.pixel_format import PixelFormat, pixel_format
from .alpha_decoder import states_alpha
from .clock import Clock
from .side_data import display_matrix, side_data_of


def clip_facts(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    first: av.VideoFrame,
    clock: Clock,
    *,
    rate: Fraction | None,
    colour: Colour,
    say: Say,
) -> ClipFacts:
    """The facts of a clip with that colour and `rate` frames a second; `say` gets what is lost."""
    if states_alpha(stream) and not pixel_format(first.format).has_alpha:
        say(
            "its header says that it has alpha, but its first frame has none, or the decoder of "
            "libvpx is not installed"
        )
    return ClipFacts(
        width_px=first.width,
        height_px=first.height,
        time_base=clock.time_base,
        average_rate=rate,
        sample_aspect_ratio=exact(stream.sample_aspect_ratio) or Fraction(1),
        colour=colour,
        pixel_format=_stored_format(first, stream),
        hdr=read_hdr(side_data_of(first)) if colour.hdr else HdrMetadata(),
        display_matrix=display_matrix(first),
        frame_count_estimate=clock.frame_count(Fraction(container.duration or 0, av.time_base)),
        metadata=dict(container.metadata),
        stream_metadata=dict(stream.metadata),
    )


def _stored_format(frame: av.VideoFrame, stream: av.VideoStream) -> PixelFormat:
    stored = pixel_format(frame.format)
    if stored.has_alpha and (frame.format.has_palette or stream.codec_context.name == "gif"):
        return replace(stored, has_alpha=False)  # FFmpeg gives every GIF an alpha channel
    return stored
