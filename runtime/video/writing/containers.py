"""The containers that videos are written to, by their suffix."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Container:
    """What a container is called and what it prefers."""

    name: str
    """FFmpeg's name."""
    audio_codec: str
    """What audio is encoded as that it cannot hold."""
    subtitle_codec: str
    """What text subtitles become that it cannot hold."""
    is_matroska: bool = False
    """Whether times are whole milliseconds, and the file consists of EBML elements."""


_MP4 = Container("mp4", "aac", "mov_text")

CONTAINERS = {
    ".mp4": _MP4,
    ".m4v": _MP4,
    ".mov": Container("mov", "aac", "mov_text"),
    ".mkv": Container("matroska", "aac", "srt", is_matroska=True),
    ".webm": Container("webm", "opus", "webvtt", is_matroska=True),
}


def container_of(path: Path) -> Container:
    """The container that the suffix of `path` names; MP4 for suffixes that name none."""
    return CONTAINERS.get(path.suffix.lower(), _MP4)


def named_container(name: str) -> Container:
    """The container with that name of FFmpeg's."""
    return next(container for container in CONTAINERS.values() if container.name == name)
