"""The times of frames in files that state when packets are decoded, but not when they are shown."""

from __future__ import annotations

import re
from heapq import heapify, heappop, heappush

import av
from av.packet import Packet
from av.stream import Stream

from ..integrity.nothing_coded import NothingCoded

_REORDERED = {
    "avi": frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"}),
    "asf": frozenset({"h264", "hevc"}),
    "mxf": frozenset({"h264", "hevc"}),
    "gxf": frozenset({"mpeg1video", "mpeg2video"}),
}
"""Formats, and the codecs whose frames may be shown in another order there than they are stored,
and that give a frame for each packet."""
_PACKED = re.compile(rb"DivX\d+\D+\d+p")
"""What MPEG-4 says if a packet without a picture stands for a frame that the packet before has
beside its own."""


class StoredOrder:
    """Gives the frame that is shown first the time of the first packet, and so on.

    For H.264 and for reordered frames libav guesses other times: they begin late, and the first
    frame is shown twice or three times as long.

    AVI, MXF and GXF count packets from 0. In ASF a packet has the time at which it is decoded,
    and the first frame is shown as much later as the decoder needs packets for it.
    """

    def __init__(self, format_name: str, codec: str, extradata: bytes) -> None:
        self._is_late, self._is_mxf = format_name == "asf", format_name == "mxf"
        self._last: tuple[int, int] | None = None
        self._gives_nothing = NothingCoded(extradata) if codec == "mpeg4" else None
        self._is_packed = bool(_PACKED.search(extradata))
        self._waiting: list[int] = []
        self._first_key: int | None = None
        self._shown = 0

    @staticmethod
    def of(container: av.container.InputContainer, stream: av.VideoStream) -> StoredOrder | None:
        """For a stream; `None` if the times that libav gives its frames are right."""
        codec = stream.codec_context
        format_name = container.format.name
        if codec.name not in _REORDERED.get(format_name, ()):
            return None
        return StoredOrder(format_name, codec.name, bytes(codec.extradata or b""))

    def packet(self, packet: Packet[Stream]) -> None:
        """Take note of a packet, in the order of decoding."""
        if packet.dts is None or not packet.size:
            return
        if self._gives_nothing is not None:
            data = bytes(packet)
            if self._first_key is None and not self._is_packed:
                self._is_packed = bool(_PACKED.search(data))
            if self._gives_nothing(data) and not self._is_packed:
                return
        # Only some MXF files state when packets are shown; others repeat when they are decoded.
        stamp = packet.pts if self._is_mxf and packet.pts is not None else packet.dts
        heappush(self._waiting, stamp)
        if packet.is_keyframe and self._first_key is None:
            self._first_key = packet.dts

    def stamp(self, frame: av.VideoFrame) -> None:
        """Set the time of the next frame, in the order of display."""
        if not self._shown and frame.key_frame and self._first_key is not None:
            # What comes before could not be decoded.
            self._waiting = [dts for dts in self._waiting if dts >= self._first_key]
            heapify(self._waiting)
        if not self._shown and self._is_late and frame.dts is not None:
            # The packet with which the first frame came out of the decoder is of its own time.
            self._waiting = [dts for dts in self._waiting if dts >= frame.dts]
            heapify(self._waiting)
        self._shown += 1
        if self._waiting:
            frame.pts = heappop(self._waiting)
        elif self._is_late and self._last is not None:
            frame.pts = 2 * self._last[1] - self._last[0]
        if frame.pts is not None:
            before = self._last[1] if self._last is not None else frame.pts
            self._last = before, frame.pts
