"""The packets of a file to the frames of its video; whatever is missing or damaged is an error."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

import av

from ....common.errors import InputError
from ....common.libraries.pyav import exact
from ..integrity.watch import Integrity
from .alpha_decoder import alpha_decoder
from .clock import Clock
from .deinterlace import Deinterlacer
from .stored_order import StoredOrder

_EARLY_BYTES = 64 << 20
"""Of sound that is read before the first picture: an hour and more."""
_LOOKED_AT = 100
"""Packets behind damage in which another size of the pictures is looked for."""


class Picture(NamedTuple):
    """What all pictures of a clip have in common."""

    width_px: int
    height_px: int
    format: str

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Picture:
        """The size and the pixel format of a frame."""
        return cls(frame.width, frame.height, frame.format.name)

    def change_to(self, other: Picture) -> str:
        """What is wrong when pictures like `other` follow; "" if they are alike."""
        if other == self:
            return ""
        return "changes from {}×{} {} to {}×{} {} on the way (split it there first)".format(
            *self, *other
        )


class Decoder:
    """Decodes one video stream, watched by `integrity`, and deinterlaces its frames."""

    def __init__(
        self,
        path: Path | str,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        integrity: Integrity,
        deinterlacer: Deinterlacer,
        clock: Clock,
        total_bytes: Callable[[], int] | None,
    ) -> None:
        self._path = path
        self._container = container
        self._stream = stream
        # Of VP8 and VP9 with alpha it is another decoder than the stream's own.
        self._codec = alpha_decoder(stream) or stream.codec_context
        self._integrity = integrity
        self._deinterlacer = deinterlacer
        self._clock = clock
        self._order = StoredOrder.of(container, stream)
        self._total_bytes = total_bytes
        self._heard_index: int | None = None
        self._early: list[av.Packet[av.stream.Stream]] = []
        self._early_bytes = 0
        self._take_sound: Callable[[av.AudioFrame, float], None] = lambda frame, seconds: None
        self.picture: Picture | None = None
        """What the pictures of the clip are like, once that is known."""

    def listen(self, stream: av.AudioStream, take: Callable[[av.AudioFrame, float], None]) -> None:
        """Give the sound of a stream to `take`, with its time in seconds, as it is read."""
        self._heard_index, self._take_sound = stream.index, take
        for packet in self._early:
            self._pass_on(packet)
        self._early.clear()

    def _pass_on(self, packet: av.Packet[av.stream.Stream]) -> None:
        if packet.stream.index == self._heard_index:
            self._hear(packet)
        elif packet.stream.type == "audio" and self._early_bytes < _EARLY_BYTES:
            self._early.append(packet)  # read before anyone could listen
            self._early_bytes += packet.size

    def _hear(self, packet: av.Packet[av.stream.Stream]) -> None:
        assert isinstance(packet.stream, av.AudioStream)
        try:
            decoded = packet.stream.decode(packet)
        except av.InvalidDataError:
            return  # the packet is silent, and the pictures are not harmed
        for frame in decoded:
            if frame.time is not None:
                zero = float(self._clock.offset * self._clock.time_base)
                self._take_sound(frame, frame.time - zero)

    def frames(self) -> Generator[av.VideoFrame, None, None]:
        """All frames, in the order in which they are shown.

        Raises InputError: one is missing or damaged.
        """
        try:
            for packet in self._container.demux():
                flush = packet.size == 0 and packet.pts is None and packet.dts is None
                if not flush:
                    fault = self._integrity.packet(packet)
                    if fault:
                        fault = self._size_change() or fault
                    self._fail_if(fault, packet)
                if packet.stream.index != self._stream.index:
                    if not flush:
                        self._pass_on(packet)
                    continue
                if self._order is not None and not flush:
                    self._order.packet(packet)
                frames = self._codec.decode(None if flush else packet)
                self._fail_if(self._integrity.frames(frames), frames[0] if frames else None)
                for frame in frames:
                    if self._order is not None:
                        self._order.stamp(frame)
                    yield from self._deinterlacer(frame)
            yield from self._deinterlacer.flush()
        except av.FFmpegError as error:
            raise InputError(
                f"{self._path}: cannot be decoded to the end ({error.strerror}); "
                "the file is damaged, no output was written"
            ) from error
        total = self._total_bytes() if self._total_bytes else self._container.size or 0
        self._fail_if(self._integrity.verdict(total))

    def _size_change(self) -> str:
        """Say so if a recording was joined of two sizes, where the packets are out of order."""
        for number, packet in enumerate(self._container.demux(self._stream)):
            for frame in self._codec.decode(packet):
                change = self.picture.change_to(Picture.of(frame)) if self.picture else ""
                if change:
                    return change
            if number == _LOOKED_AT:
                break
        return ""

    def _fail_if(
        self, fault: str, at: av.VideoFrame | av.Packet[av.stream.Stream] | None = None
    ) -> None:
        """Raise InputError, with the time of a frame or packet, if there is a fault."""
        if not fault:
            return
        place = ""
        if at is not None and at.pts is not None:
            unit = exact(at.time_base) or exact(self._stream.time_base) or self._clock.time_base
            seconds = at.pts * unit - self._clock.offset * self._clock.time_base
            place = f" at {float(seconds):.2f} s"
        raise InputError(f"{self._path}: {fault}{place}; no output was written")
