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
        self._first_dts: int | None = None
        self._first_pts: int | None = None
        self._end_pts: int | None = None

    def next(self, packet: Packet[Stream]) -> Packet[Stream] | None:
        """Take a packet, return the one before it."""
        if packet.pts is not None and packet.dts is not None:
            end = packet.pts + (packet.duration or 0)
            self._first_dts = packet.dts if self._first_dts is None else self._first_dts
            self._first_pts = packet.pts if self._first_pts is None else self._first_pts
            self._end_pts = end if self._end_pts is None else max(self._end_pts, end)
        ready, self._held = self._held, packet
        return ready

    def last(self) -> Packet[Stream] | None:
        """Return the last packet, its duration mended."""
        packet, self._held = self._held, None
        if packet is None or not self._fixed_up or packet.dts is None:
            return packet
        if (
            self._end_pts is not None
            and self._first_pts is not None
            and self._first_dts is not None
        ):
            left = (self._end_pts - self._first_pts) - (packet.dts - self._first_dts)
            packet.duration = max(left, 1)
        return packet
