"""The networks that can be trained, by the name used in configs and checkpoints."""

from __future__ import annotations

from typing import Literal

from .base import SRNetwork
from .compact import Compact, CompactConfig, compact_config_of
from .johnson import Johnson, JohnsonConfig
from .realtime import Realtime, RealtimeConfig
from .style import StyleConfig, StyleNetwork

NetworkConfig = RealtimeConfig | CompactConfig | JohnsonConfig | StyleConfig
Task = Literal["super-resolution", "style"]


def task_of(config: NetworkConfig) -> Task:
    """What a network is for."""
    return "style" if isinstance(config, StyleConfig) else "super-resolution"


def build_network(config: NetworkConfig) -> SRNetwork:
    """A network with fresh weights, drawn from torch's global generator."""
    match config:
        case RealtimeConfig():
            return Realtime(config)
        case CompactConfig():
            return Compact(config)
        case JohnsonConfig():
            return Johnson(config)
        case StyleConfig():
            return StyleNetwork(config)


__all__ = [
    "Compact",
    "CompactConfig",
    "Johnson",
    "JohnsonConfig",
    "NetworkConfig",
    "Realtime",
    "RealtimeConfig",
    "SRNetwork",
    "StyleConfig",
    "StyleNetwork",
    "Task",
    "build_network",
    "compact_config_of",
    "task_of",
]
