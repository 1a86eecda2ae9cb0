"""Video in, video out: sources, sinks and the pipeline between them."""

from __future__ import annotations

from .convert import ConvertOptions, VideoResult, upscale_video
from .encoders import ENCODERS, EncoderOptions
from .file_sink import FileSink
from .file_source import FileSource
from .frame import ClipFacts, Frame
from .pipeline import Pipeline
from .pool import FramePool
from .span import Span, parse_time
from .stats import PipelineStats
from .step import FrameStep

__all__ = [
    "ENCODERS",
    "ClipFacts",
    "ConvertOptions",
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
