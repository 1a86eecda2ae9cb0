"""Decoded sound from the thread that reads a live source to the one that writes the output."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from .containers import named_container
from .sound import SoundEncoder, coded_as

_MOST_FRAMES = 4096
"""Frames that wait at most, a minute and more: the oldest are lost if nothing is written."""


class SoundFeed:
    """A queue of sound. One thread puts frames in, another takes them out."""

    def __init__(self, stream: AudioStream) -> None:
        """`stream` is what the sound is like; it may change later on."""
        self.stream = stream
        self.rate = stream.rate
        self.channels = stream.layout.nb_channels
        self._frames: deque[av.AudioFrame] = deque(maxlen=_MOST_FRAMES)

    def put(self, frame: av.AudioFrame, seconds: float) -> None:
        """Append a frame that is heard at that time of the output."""
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(seconds * frame.sample_rate)
        self._frames.append(frame)

    def next_until(self, seconds: Fraction | None) -> av.AudioFrame | None:
        """Take the next frame if it begins until then, or whenever it begins for `None`."""
        if not self._frames:
            return None
        frame = self._frames[0]
        assert frame.pts is not None
        if seconds is not None and Fraction(frame.pts, frame.sample_rate) > seconds:
            return None
        return self._frames.popleft()


class FedSound:
    """Encodes sound of a feed into an output, beside the video. See `Passthrough`."""

    def __init__(
        self, feed: SoundFeed, output: av.container.OutputContainer, codec: str | None = None
    ) -> None:
        """Add the stream, before the header is written. `codec`: that of the container."""
        codec = codec or named_container(output.format.name).audio_codec
        self._feed = feed
        self._output = output
        self._encoder = SoundEncoder(output, codec, feed.rate, feed.channels)
        self._last_dts: int | None = None
        self.copied = [coded_as(feed.stream, codec)]

    def copy_until(self, seconds: Fraction | None) -> None:
        """Write the sound that begins before `seconds` of the output's time."""
        while (frame := self._feed.next_until(seconds)) is not None:
            for packet in self._encoder.encode(frame):
                self._write(packet)

    def finish(self) -> None:
        """Write what is left."""
        self.copy_until(None)
        for packet in self._encoder.finish():
            self._write(packet)

    def close(self) -> None:
        """Do nothing: the source closes what it opened."""

    def _write(self, packet: Packet[Stream]) -> None:
        """Write a packet, unless a new connection's clock put it before the last one."""
        if packet.dts is not None:
            if self._last_dts is not None and packet.dts <= self._last_dts:
                return
            self._last_dts = packet.dts
        self._output.mux_one(packet)
