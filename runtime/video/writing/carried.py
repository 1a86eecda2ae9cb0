"""How one stream of the input gets into the output: copied, or encoded again."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from ....common.libraries.pyav import exact, open_to_write, unit_of
from ..clip.span import Span


class Audio(StrEnum):
    """What becomes of the sound."""

    AUTO = "auto"
    """It is copied; what the container cannot hold is encoded again, as AAC, in WebM as Opus."""
    COPY = "copy"
    """It is copied; what the container cannot hold is an error."""
    AAC = "aac"
    """All of it is encoded again."""
    NONE = "none"
    """It is left out."""


@dataclass(frozen=True)
class CopyFrom:
    """The file whose other streams come beside the new pictures."""

    path: Path
    video_index: int
    """Index of the video stream, which is not copied."""
    audio: Audio = Audio.AUTO
    span: Span = field(default_factory=Span)
    """The part of the file that the pictures are; what is copied is cut to it."""
    begins: Fraction = Fraction(0)
    """When the pictures begin, in seconds, if before 0 and not cut off: that becomes 0."""


class Carried(Protocol):
    """One stream on its way. Times of its packets are those of the output already."""

    description: str
    """Such as "audio (aac)"."""

    def take(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        """Yield what can be written once `packet` of the input has come."""

    def finish(self) -> Iterator[Packet[Stream]]:
        """Yield what is left."""


class Copied:
    """A stream whose packets are written as they are."""

    def __init__(self, source: Stream, target: Stream) -> None:
        self.description = describe(source)
        self._target = target
        self._last_dts: int | None = None

    def take(self, packet: Packet[Stream]) -> Iterator[Packet[Stream]]:
        packet.stream = self._target
        if packet.stream.type == "audio":
            self._make_later(packet)
        yield packet

    def finish(self) -> Iterator[Packet[Stream]]:
        yield from ()

    def _make_later(self, packet: Packet[Stream]) -> None:
        """Move a packet behind the one before it.

        Matroska's milliseconds may give two short packets one time, which others refuse.
        """
        of_packet = unit_of(packet)
        unit = exact(self._target.time_base) or of_packet
        stamp = packet.dts if packet.dts is not None else packet.pts
        if stamp is None:
            return
        ticks = round(stamp * of_packet / unit)
        if self._last_dts is not None and ticks <= self._last_dts:
            ticks = self._last_dts + 1
            packet.pts = packet.dts = ticks
            packet.duration = round((packet.duration or 0) * of_packet / unit)
            packet.time_base = unit
        self._last_dts = ticks


def describe(stream: Stream) -> str:
    """Kind and codec, as "audio (aac)"."""
    codec = "unknown" if stream.codec_context is None else _codec(stream)
    kind = "cover" if stream.type == "video" else stream.type
    return f"{kind} ({codec})"


def _codec(stream: Stream) -> str:
    name: str = stream.codec_context.codec.canonical_name
    return "dts" if name == "dca" else name


def can_hold(container: str, stream: Stream) -> bool:
    """Whether a container, by FFmpeg's name, takes a stream as it is: FFmpeg is asked."""
    if container == "mp4" and _has_nameless_channels(stream):
        return False
    trial = open_to_write(io.BytesIO(), format=container)
    try:
        trial.add_stream_from_template(stream, opaque=True)
        trial.start_encoding()
    except (ValueError, av.FFmpegError):
        return False
    finally:
        del trial  # closing it would write an end that nobody reads
    return True


def _has_nameless_channels(stream: Stream) -> bool:
    """PCM of Matroska: MP4 wants to know left from right, and libav says so at the very end."""
    if not isinstance(stream, AudioStream) or stream.codec_context is None:
        return False
    if not stream.codec_context.name.startswith("pcm_"):
        return False
    return stream.layout.name.endswith("channels")


def time_of(packet: Packet[Stream]) -> Fraction:
    """When a packet is due, in seconds."""
    stamp = packet.dts if packet.dts is not None else packet.pts
    return (stamp or 0) * unit_of(packet)
