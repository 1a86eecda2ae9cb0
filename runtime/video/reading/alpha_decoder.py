"""The decoder for the alpha of VP8 and VP9, which FFmpeg's own decoders skip."""

from __future__ import annotations

from typing import cast

import av

_WITH_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}


def states_alpha(stream: av.VideoStream) -> bool:
    """Whether a Matroska or WebM file says that blocks have alpha beside them."""
    stated = {key.lower(): value for key, value in stream.metadata.items()}.get("alpha_mode")
    return stated == "1" and stream.codec_context.name in _WITH_ALPHA


def alpha_decoder(stream: av.VideoStream) -> av.VideoCodecContext | None:
    """A decoder of libvpx for a stream that states alpha; `None` for others, or without libvpx."""
    if not states_alpha(stream):
        return None
    try:
        context = av.CodecContext.create(_WITH_ALPHA[stream.codec_context.name], "r")
    except av.codec.codec.UnknownCodecError:
        return None
    context.thread_type = "AUTO"
    return cast("av.VideoCodecContext", context)
