"""Cameras, network streams and pipes in; windows, network streams and pipes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...common.lazy import lazy_names

if TYPE_CHECKING:
    from .address import Source, SourceKind, Target, TargetKind, parse_source, parse_target
    from .connection import Timeouts
    from .opening import LiveOptions
    from .run import LiveResult, check_live, upscale_live
    from .source import LiveSource
else:
    _MODULES = {
        "LiveOptions": ".opening",
        "LiveResult": ".run",
        "LiveSource": ".source",
        "Source": ".address",
        "SourceKind": ".address",
        "Target": ".address",
        "TargetKind": ".address",
        "Timeouts": ".connection",
        "check_live": ".run",
        "parse_source": ".address",
        "parse_target": ".address",
        "upscale_live": ".run",
    }
    __getattr__ = lazy_names(__name__, _MODULES)

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
