"""Video in, video out: sources, sinks and the pipeline between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...common.libraries.lazy import lazy_names

if TYPE_CHECKING:
    from .clip.frame import ClipFacts, Frame
    from .clip.pool import FramePool
    from .clip.span import Span, parse_time
    from .convert import ConvertOptions, VideoResult, upscale_video
    from .pipeline import Pipeline
    from .reading.deinterlace import Deinterlace
    from .reading.file_source import FileSource
    from .stats import PipelineStats
    from .step import FrameStep
    from .writing.carried import Audio
    from .writing.codecs import ENCODERS
    from .writing.encoders import EncoderOptions
    from .writing.file_sink import FileSink
else:
    _MODULES = {
        "Audio": ".writing.carried",
        "ClipFacts": ".clip.frame",
        "ConvertOptions": ".convert",
        "Deinterlace": ".reading.deinterlace",
        "ENCODERS": ".writing.codecs",
        "EncoderOptions": ".writing.encoders",
        "FileSink": ".writing.file_sink",
        "FileSource": ".reading.file_source",
        "Frame": ".clip.frame",
        "FramePool": ".clip.pool",
        "FrameStep": ".step",
        "Pipeline": ".pipeline",
        "PipelineStats": ".stats",
        "Span": ".clip.span",
        "VideoResult": ".convert",
        "parse_time": ".clip.span",
        "upscale_video": ".convert",
    }
    __getattr__ = lazy_names(__name__, _MODULES)

__all__ = [
    "ENCODERS",
    "Audio",
    "ClipFacts",
    "ConvertOptions",
    "Deinterlace",
    "EncoderOptions",
    "FileSink",
    "FileSource",
    "Frame",
    "FramePool",
    "FrameStep",
    "Pipeline",
    "PipelineStats",
    "Span",
    "VideoResult",
    "parse_time",
    "upscale_video",
]
