"""The time that the last packet of a track lasts."""

from __future__ import annotations

from av.packet import Packet
from av.stream import Stream


class PacketClock:
    """Holds each packet back by one, to give the last one a duration that ends the track right.

    QuickTime files store how long each sample lasts in decoding order. Where frames are reordered
    the decoding times run behind, so the last sample must last until the last frame was shown;
    otherwise players end the film early.
    """

    def __init__(self, *, fixed_up: bool) -> None:
        self._fixed_up = fixed_up
        self._held: Packet[Stream] | None = None
        self._first: tuple[int, int] | None = None
        self._last_pts: int | None = None  # of the frame that is shown last
        self._end_pts = 0

    def next(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """Take a packet, return the one before it."""
        if packet.pts is not None and packet.dts is not None:
            if self._last_pts is None or packet.pts > self._last_pts:
                self._last_pts = packet.pts
                self._end_pts = packet.pts + (packet.duration or 0)
            self._first = self._first or (packet.pts, packet.dts)
        ready, self._held = self._held, packet
        return ready

    def last(self) -> Packet[Stream] | None:
        """Return the last packet, its duration corrected."""
        packet, self._held = self._held, None
        if self._fixed_up and packet is not None and packet.dts is not None and self._first:
            first_pts, first_dts = self._first
            packet.duration = max(1, (self._end_pts - first_pts) - (packet.dts - first_dts))
        return packet
