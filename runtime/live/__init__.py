"""Cameras, network streams and pipes in; windows, network streams and pipes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...common.libraries.lazy import lazy_names

if TYPE_CHECKING:
    from .run import LiveResult, check_live, upscale_live
    from .sources.address import Source, SourceKind, parse_source
    from .sources.connection import Timeouts
    from .sources.opening import LiveOptions
    from .sources.source import LiveSource
    from .targets.address import Target, TargetKind, parse_target
else:
    _MODULES = {
        "LiveOptions": ".sources.opening",
        "LiveResult": ".run",
        "LiveSource": ".sources.source",
        "Source": ".sources.address",
        "SourceKind": ".sources.address",
        "Target": ".targets.address",
        "TargetKind": ".targets.address",
        "Timeouts": ".sources.connection",
        "check_live": ".run",
        "parse_source": ".sources.address",
        "parse_target": ".targets.address",
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
