"""Cameras, network streams and pipes in; windows, network streams and pipes out."""

from __future__ import annotations

from .address import Source, SourceKind, Target, TargetKind, parse_source, parse_target
from .connection import Timeouts
from .run import LiveOptions, LiveResult, check_live, upscale_live
from .source import LiveSource

__all__ = [
    "LiveOptions",
    "LiveResult",
    "LiveSource",
    "Source",
    "SourceKind",
    "Target",
    "TargetKind",
    "Timeouts",
    "check_live",
    "parse_source",
    "parse_target",
    "upscale_live",
]
