"""Video in, video out: sources, sinks and the pipeline between them."""

from __future__ import annotations

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
from .writing.encoders import ENCODERS, EncoderOptions
from .writing.file_sink import FileSink

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
