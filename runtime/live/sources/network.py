"""One connection to a network stream.

PyAV and not `cv2.VideoCapture`, which reads cameras only (`camera`): the time limits are the
connection's own instead of environment variables of the whole process, frames carry the stream's
times, and colours are converted with the stream's matrix, where OpenCV takes untagged HD for
BT.601.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from time import monotonic
from typing import Protocol

import av
from av.codec.context import Flags

from ....common.errors import InputError
from ....common.libraries.pyav import exact, open_to_read
from ....common.notes import Say
from ...video.clip.bgr import ToBgr, colour_of, depth_note
from ...video.clip.colour_tags import require_sdr
from ...video.clip.frame import ClipFacts, Image
from ...video.clip.pixel_format import pixel_format
from ...video.clip.pool import FramePool
from ...video.clip.rate import frame_rate
from .address import INPUT_SCHEMES, Source
from .clock import TIME_BASE

# RTSP over TCP loses nothing and passes firewalls. Half a second is enough to find the streams;
# what came meanwhile is decoded at once afterwards, so that it costs no lasting latency ("nobuffer"
# would throw it away).
_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "500000", "flags": "low_delay"}
# A playlist from the network must not name local files.
_PROTOCOLS = ",".join((*INPUT_SCHEMES, "rtp", "tls", "crypto", "data", "httpproxy"))


_EARLY_PACKETS = 256
"""Packets of sound that are kept until the first picture came."""


@dataclass(frozen=True)
class Timeouts:
    """How long a stream may be silent, in seconds."""

    read_seconds: float = 10.0
    """Until it answers, and between two packets."""
    first_frame_seconds: float = 20.0
    """From the answer to the first picture, which waits for a key frame."""


TakeSound = Callable[[av.AudioFrame, float], None]
"""Takes decoded sound and the time in seconds that it states."""


class Connection(Protocol):
    """A source that is connected now."""

    facts: ClipFacts

    def frames(self, on_sound: TakeSound | None = None) -> Iterator[tuple[Image, float | None]]:
        """Yield BGR pictures and the seconds that they state; ends when the source does.

        Sound and its seconds go to `on_sound` meanwhile.

        Raises:
            InputError: the source failed or was silent for too long.
        """
        ...

    def close(self) -> None:
        """Hang up."""
        ...


def open_stream(source: Source, timeouts: Timeouts) -> av.container.InputContainer:
    """Connect to a URL.

    Raises:
        InputError: nobody answers in time, refuses, or sends nothing that FFmpeg knows.
    """
    limit = timeouts.read_seconds
    try:
        return open_to_read(
            source.text,
            options=_OPTIONS,
            container_options={"protocol_whitelist": _PROTOCOLS},
            timeout=(max(limit, timeouts.first_frame_seconds), limit),
        )
    except av.FFmpegError as error:
        raise InputError(
            f"{source.shown}: cannot be opened ({_reason(error, limit)}); check the address, and "
            "that the source is running"
        ) from error


class StreamConnection:
    """See `Connection`. Damaged pictures before the first sound one are left out."""

    def __init__(
        self,
        source: Source,
        container: av.container.InputContainer,
        timeouts: Timeouts,
        pool: FramePool,
        say: Say | None = None,
        *,
        has_sound: bool = False,
    ) -> None:
        """Wait for the first picture of an open stream, which is closed on failure.

        `has_sound`: the best stream of audio is read, too. `say` gets a line when the pictures
        lose bits; leave it out where that was printed before.

        Raises:
            InputError: no picture comes in time, or none that can be used.
        """
        self._shown = source.shown
        self._on_sound: TakeSound | None = None
        self._early: deque[av.Packet[av.stream.Stream]] = deque(maxlen=_EARLY_PACKETS)
        self._container = container
        self._timeouts = timeouts
        self._to_bgr = ToBgr(pool)
        try:
            self._stream = self._choose_stream()
            self._sound = best_audio(container) if has_sound else None
            self._decoded = self._decode()
            self._first = self._first_picture()
            self.facts = self._read_facts(self._first)
            note = depth_note(pixel_format(self._first.format))
            if note and say is not None:
                say(f"{self._shown}: {note}")
        except BaseException:
            container.close()
            raise

    def frames(self, on_sound: TakeSound | None = None) -> Iterator[tuple[Image, float | None]]:
        yield self._convert(self._first)
        self._on_sound = on_sound
        while self._early and on_sound is not None:
            self._hear(self._early.popleft())
        for picture in self._decoded:
            yield self._convert(picture)

    def close(self) -> None:
        self._container.close()

    def _choose_stream(self) -> av.VideoStream:
        stream = self._container.streams.best("video")
        if not isinstance(stream, av.VideoStream) or stream.codec_context is None:
            raise InputError(f"{self._shown}: has no video stream")
        # Frame threads would hold back a frame each.
        stream.thread_type = "SLICE"
        stream.codec_context.flags |= Flags.low_delay
        return stream

    def _decode(self) -> Iterator[av.VideoFrame]:
        limit = self._timeouts.read_seconds
        deadline = monotonic() + self._timeouts.first_frame_seconds
        sound = False
        try:
            streams = [stream for stream in (self._stream, self._sound) if stream is not None]
            seen = monotonic()
            for packet in self._container.demux(streams):
                if packet.stream is self._sound:
                    self._hear(packet)
                    if sound and monotonic() - seen > limit:
                        raise InputError(f"{self._shown}: sent no picture for {limit:g} s")
                    continue
                seen = monotonic()
                try:
                    pictures = self._stream.decode(packet)
                except av.InvalidDataError:
                    pictures = []  # the next key frame starts anew
                for picture in pictures:
                    sound = sound or not picture.is_corrupt
                    if sound:
                        yield picture
                if not sound and monotonic() > deadline:
                    raise InputError(
                        f"{self._shown}: sent data but no picture for "
                        f"{self._timeouts.first_frame_seconds:g} s"
                    )
        except av.FFmpegError as error:
            raise InputError(f"{self._shown}: {_reason(error, limit)}") from error

    def _hear(self, packet: av.Packet[av.stream.Stream]) -> None:
        if self._on_sound is None or self._sound is None:
            self._early.append(packet)
            return
        try:
            decoded = self._sound.decode(packet)
        except av.InvalidDataError:
            return
        for frame in decoded:
            if frame.time is not None:
                self._on_sound(frame, frame.time)

    def _first_picture(self) -> av.VideoFrame:
        picture = next(self._decoded, None)
        if picture is None:
            raise InputError(f"{self._shown}: ended without a picture")
        return picture

    def _read_facts(self, picture: av.VideoFrame) -> ClipFacts:
        stream = self._stream
        try:
            colour = colour_of(picture, stream.codec_context)
            require_sdr(colour)
        except ValueError as error:
            raise InputError(f"{self._shown}: {error}") from error
        return ClipFacts(
            width_px=picture.width,
            height_px=picture.height,
            time_base=TIME_BASE,
            average_rate=frame_rate(stream),
            sample_aspect_ratio=exact(stream.sample_aspect_ratio) or Fraction(1),
            colour=colour,
        )

    def _convert(self, picture: av.VideoFrame) -> tuple[Image, float | None]:
        return self._to_bgr(picture, self.facts.colour), picture.time


def best_audio(container: av.container.InputContainer) -> av.AudioStream | None:
    """The stream of audio that FFmpeg takes for the best, if it can be decoded."""
    stream = container.streams.best("audio")
    if not isinstance(stream, av.AudioStream) or stream.codec_context is None:
        return None
    return stream if stream.rate and stream.layout.nb_channels else None


def _reason(error: av.FFmpegError, limit_seconds: float) -> str:
    if isinstance(error, av.ExitError):
        return f"silent for {limit_seconds:g} s"
    return error.strerror or type(error).__name__
