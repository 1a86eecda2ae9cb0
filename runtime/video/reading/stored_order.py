"""The times of frames in files that state when packets are decoded, but not when they are shown."""

from __future__ import annotations

from heapq import heappop, heappush

import av
from av.packet import Packet
from av.stream import Stream

_STATES_NO_TIMES = frozenset({"asf", "avi"})


class StoredOrder:
    """Gives the frame that is shown first the time of the first packet, and so on.

    For H.264 and for reordered frames libav guesses other times: they begin late, and the first
    frame is shown twice or three times as long.
    """

    def __init__(self) -> None:
        self._waiting: list[int] = []
        self._first_key: int | None = None
        self._shown = 0

    @staticmethod
    def of(format_name: str) -> StoredOrder | None:
        """For a format, by FFmpeg's name; `None` if it states the time of every frame."""
        return StoredOrder() if format_name in _STATES_NO_TIMES else None

    def packet(self, packet: Packet[Stream]) -> None:
        """Take note of a packet, in the order of decoding."""
        if packet.dts is None or not packet.size:
            return
        heappush(self._waiting, packet.dts)
        if packet.is_keyframe and self._first_key is None:
            self._first_key = packet.dts

    def stamp(self, frame: av.VideoFrame) -> None:
        """Set the time of the next frame, in the order of display."""
        if not self._shown and frame.key_frame and self._first_key is not None:
            # What comes before could not be decoded.
            self._waiting = [dts for dts in self._waiting if dts >= self._first_key]
        self._shown += 1
        if self._waiting:
            frame.pts = heappop(self._waiting)
