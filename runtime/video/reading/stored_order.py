"""The times of frames in files that state when packets are decoded, but not when they are shown."""

from __future__ import annotations

import re
from heapq import heapify, heappop, heappush

import av
from av.packet import Packet
from av.stream import Stream

from ..integrity.nothing_coded import NothingCoded

_FORMAT = "avi"
"""Its packets are counted from 0, in the order of decoding. ASF counts them from elsewhere."""
_REORDERED = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"})
"""Codecs whose frames may be shown in another order, and that give a frame for each packet."""
_PACKED = re.compile(rb"DivX\d+\D+\d+p")
"""What MPEG-4 says if a packet without a picture stands for a frame that the packet before has
beside its own."""


class StoredOrder:
    """Gives the frame that is shown first the time of the first packet, and so on.

    For H.264 and for reordered frames libav guesses other times: they begin late, and the first
    frame is shown twice or three times as long.
    """

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._gives_nothing = NothingCoded(extradata) if codec == "mpeg4" else None
        self._is_packed = bool(_PACKED.search(extradata))
        self._waiting: list[int] = []
        self._first_key: int | None = None
        self._shown = 0

    @staticmethod
    def of(container: av.container.InputContainer, stream: av.VideoStream) -> StoredOrder | None:
        """For a stream; `None` if the times that libav gives its frames are right."""
        codec = stream.codec_context
        if container.format.name != _FORMAT or codec.name not in _REORDERED:
            return None
        return StoredOrder(codec.name, bytes(codec.extradata or b""))

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
        heappush(self._waiting, packet.dts)
        if packet.is_keyframe and self._first_key is None:
            self._first_key = packet.dts

    def stamp(self, frame: av.VideoFrame) -> None:
        """Set the time of the next frame, in the order of display."""
        if not self._shown and frame.key_frame and self._first_key is not None:
            # What comes before could not be decoded.
            self._waiting = [dts for dts in self._waiting if dts >= self._first_key]
            heapify(self._waiting)
        self._shown += 1
        if self._waiting:
            frame.pts = heappop(self._waiting)
