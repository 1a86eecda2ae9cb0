"""Real encoders through PyAV: a sequence is coded and decoded again.

Used to make training pairs and to measure models on coded footage.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from ..common.errors import ConfigError, MissingDependencyError
from ..common.libraries.swscale import TO_RGB, TO_YUV
from ..common.scheduling import unchanged_scheduling

Frames = NDArray[np.uint8]
Encoder = Literal["x264", "x265", "vp9", "av1", "mpeg4", "mpeg2"]

QUALITY_LIMITS: dict[Encoder, tuple[int, int]] = {
    "x264": (0, 51),
    "x265": (0, 51),
    "vp9": (0, 63),
    "av1": (1, 63),
    "mpeg4": (1, 31),
    "mpeg2": (1, 31),
}
"""Lowest and highest value of each encoder's quality setting. Higher is coarser."""
LIBRARIES: dict[Encoder, str] = {
    "x264": "libx264",
    "x265": "libx265",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "mpeg4": "mpeg4",
    "mpeg2": "mpeg2video",
}

LEAST_SIDE = 64
"""Smaller frames are padded: x265 (of PyAV 18.1) overwrites memory when one is narrower."""


@dataclass(frozen=True)
class Coding:
    """One encoder with all its settings."""

    encoder: Encoder
    quality: float
    """crf of x264, x265, VP9 and AV1; quantiser of MPEG-4 and MPEG-2."""
    options: dict[str, str] = field(default_factory=dict)
    """Further options of FFmpeg's encoder."""
    matrix: Colorspace = Colorspace.ITU709
    full_range: bool = False


def parse_coding(text: str) -> Coding:
    """The coding that ENCODER:QUALITY names, for instance "x264:23". Raises ConfigError."""
    name, _, quality = text.partition(":")
    encoder = next((known for known in QUALITY_LIMITS if known == name), None)
    if encoder is None:
        known = ", ".join(QUALITY_LIMITS)
        raise ConfigError(f"codec {text!r}: encoder {name!r} is not one of {known}")
    least, most = QUALITY_LIMITS[encoder]
    try:
        value = float(quality)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise ConfigError(
            f"codec {text!r}: quality must be a number within {least} and {most}, "
            f"for instance {name}:{(least + most) // 2}"
        )
    return Coding(encoder, value)


def encode_and_decode(frames: Frames, coding: Coding) -> tuple[Frames, list[str]]:
    """Code uint8 T×H×W×3 RGB with even sides in 4:2:0 and decode it again.

    Returns the frames in order of display, as given, and the type of each ("I", "P" or "B").
    Raises MissingDependencyError if this build of PyAV lacks the encoder.
    """
    library = LIBRARIES[coding.encoder]
    if library not in av.codecs_available:
        raise MissingDependencyError(
            f"encoder {coding.encoder}: this build of PyAV has no {library}; "
            "leave it out or install PyAV from its wheels (pip install --force-reinstall av)"
        )
    height, width = frames.shape[1:3]
    frames = _at_least(frames, LEAST_SIDE)
    stored = io.BytesIO()
    with unchanged_scheduling(), av.open(stored, "w", format="matroska") as container:
        _encode(container, library, frames, coding)
    stored.seek(0)
    decoded, types = [], []
    with av.open(stored, "r") as written:
        stream = written.streams.video[0]
        stream.codec_context.thread_count = 1
        for picture in written.decode(stream):
            decoded.append(_to_rgb(picture, coding))
            types.append(av.video.frame.PictureType(picture.pict_type).name)
    if len(decoded) != len(frames):
        raise RuntimeError(f"{library} made {len(decoded)} of {len(frames)} frames")
    return np.stack(decoded)[:, :height, :width], types


def _at_least(frames: Frames, side: int) -> Frames:
    """T×H×W×3 with the last row and column repeated until both sides are at least `side`."""
    missing = [(0, max(0, side - length)) for length in frames.shape[1:3]]
    return np.pad(frames, ((0, 0), *missing, (0, 0)), "edge")


def _encode(
    container: av.container.OutputContainer, library: str, frames: Frames, coding: Coding
) -> None:
    stream = container.add_stream(library, rate=Fraction(25))
    assert isinstance(stream, av.VideoStream)
    stream.height, stream.width = frames.shape[1:3]
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.thread_count = 1
    context.color_range = 2 if coding.full_range else 1
    context.options = {**_quality(coding), **coding.options}
    for number, frame in enumerate(frames):
        picture = _to_yuv(frame, coding)
        picture.pts = number
        container.mux(stream.encode(picture))
    container.mux(stream.encode())


def _quality(coding: Coding) -> dict[str, str]:
    """The options that set the quality; one thread each, and nothing on standard error."""
    match coding.encoder:
        case "x264":
            return {"crf": f"{coding.quality:g}"}
        case "x265":
            quiet = "log-level=none:pools=none:frame-threads=1"
            return {"crf": f"{coding.quality:g}", "x265-params": quiet}
        case "vp9":
            return {"crf": f"{coding.quality:g}", "b": "0"}
        case "av1":
            return {"crf": f"{coding.quality:g}", "svtav1-params": "lp=1"}
        case "mpeg4" | "mpeg2":
            # A fixed quantiser: PyAV cannot set the quality of each frame, as `ffmpeg -q:v` does.
            quantiser = f"{coding.quality:g}"
            return {"qmin": quantiser, "qmax": quantiser}


def _to_yuv(frame: NDArray[np.uint8], coding: Coding) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    return picture.reformat(
        format="yuv420p",
        src_colorspace=coding.matrix,
        dst_colorspace=coding.matrix,
        src_color_range=ColorRange.JPEG,
        dst_color_range=_range(coding),
        interpolation=TO_YUV,
    )


def _to_rgb(picture: av.VideoFrame, coding: Coding) -> NDArray[np.uint8]:
    converted = picture.reformat(
        format="rgb24",
        src_colorspace=coding.matrix,
        dst_colorspace=coding.matrix,
        src_color_range=_range(coding),
        dst_color_range=ColorRange.JPEG,
        interpolation=TO_RGB,
    )
    return converted.to_ndarray().astype(np.uint8, copy=False)


def _range(coding: Coding) -> ColorRange:
    return ColorRange.JPEG if coding.full_range else ColorRange.MPEG
