"""Decoded sound from the thread that reads a live source to the one that writes the output."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream

from ....common.notes import Say, say_on_stderr
from .containers import named_container
from .recoded_sound import SoundEncoder, coded_as

_MOST_SECONDS = 900
"""Sound that waits at most, about 350 MB: the oldest is lost, with a line, if no picture comes."""


class SoundFeed:
    """A queue of sound. One thread puts frames in, another takes them out."""

    def __init__(self, stream: AudioStream, say: Say = say_on_stderr) -> None:
        """`stream` is what the sound is like; it may change later on."""
        self._say = say
        self._waiting = Fraction(0)
        self._has_lost = False
        self.stream = stream
        self.rate = stream.rate
        self.channels = stream.layout.nb_channels
        self._frames: deque[av.AudioFrame] = deque()

    def put(self, frame: av.AudioFrame, seconds: float) -> None:
        """Append a frame that is heard at that time of the output."""
        frame.time_base = Fraction(1, frame.sample_rate)
        frame.pts = round(seconds * frame.sample_rate)
        self._frames.append(frame)
        self._waiting += _length(frame)
        while self._waiting > _MOST_SECONDS:
            self._waiting -= _length(self._frames.popleft())
            if not self._has_lost:
                self._say(f"sound is lost: no picture came for {_MOST_SECONDS} s")
            self._has_lost = True

    def next_until(self, seconds: Fraction | None) -> av.AudioFrame | None:
        """Take the next frame if it begins until then, or whenever it begins for `None`."""
        if not self._frames:
            return None
        frame = self._frames[0]
        assert frame.pts is not None
        if seconds is not None and Fraction(frame.pts, frame.sample_rate) > seconds:
            return None
        self._frames.popleft()
        self._waiting -= _length(frame)
        return frame


def _length(frame: av.AudioFrame) -> Fraction:
    """Of a frame, in seconds."""
    return Fraction(frame.samples, frame.sample_rate)


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
