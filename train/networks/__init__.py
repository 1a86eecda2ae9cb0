"""The networks that can be trained, by the name used in configs and checkpoints."""

from __future__ import annotations

from .base import SRNetwork
from .compact import Compact, CompactConfig, compact_config_of
from .johnson import Johnson, JohnsonConfig
from .realtime import Realtime, RealtimeConfig

NetworkConfig = RealtimeConfig | CompactConfig | JohnsonConfig


def build_network(config: NetworkConfig) -> SRNetwork:
    """A network with fresh weights, drawn from torch's global generator."""
    match config:
        case RealtimeConfig():
            return Realtime(config)
        case CompactConfig():
            return Compact(config)
        case JohnsonConfig():
            return Johnson(config)


__all__ = [
    "Compact",
    "CompactConfig",
    "Johnson",
    "JohnsonConfig",
    "NetworkConfig",
    "Realtime",
    "RealtimeConfig",
    "SRNetwork",
    "build_network",
    "compact_config_of",
]
