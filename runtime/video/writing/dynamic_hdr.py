"""Puts HDR10+ metadata of single frames into what an encoder made of them.

No encoder of FFmpeg takes it, so it goes into the finished packets: as an SEI message of HEVC
(ITU-T H.265, D.2.36) or as a metadata OBU of AV1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import av
from av.packet import Packet
from av.stream import Stream

_START = re.compile(rb"\x00\x00\x01", re.DOTALL)
_PREFIX_SEI = bytes([39 << 1, 1])
_PICTURES = range(32)  # NAL unit types of HEVC that hold parts of a picture
_T35 = 4  # the type of such a message in an SEI of HEVC, and in a metadata OBU of AV1
_METADATA_OBU, _HAS_SIZE = 5 << 3, 2
_FRAMES_OF_AV1 = (3, 6)  # OBU types: a frame's header, and a whole frame


def with_message(library: str, data: bytes, message: bytes) -> bytes:
    """A packet of the encoder `library` with a T.35 message before its picture."""
    return _PLACES[library](data, message)


def can_state(library: str) -> bool:
    """Whether packets of that encoder can be given messages."""
    return library in _PLACES


class DynamicHdr:
    """The messages of frames that are in an encoder, by their times."""

    def __init__(self, library: str) -> None:
        self._library = library
        self._messages: dict[int, bytes] = {}

    def note(self, pts: int, message: bytes | None) -> None:
        """A frame goes into the encoder."""
        if message is not None and can_state(self._library):
            self._messages[pts] = message

    def put_into_data(self, pts: int, data: bytes) -> bytes:
        """What a packet of that time holds, with the message of its frame, if it has one."""
        message = self._messages.pop(pts, None)
        return data if message is None else with_message(self._library, data, message)

    def put_into(self, packet: Packet[Stream]) -> Packet[Stream]:
        """The packet, or one like it with the message of its frame."""
        if packet.pts not in self._messages:
            return packet
        data = self.put_into_data(packet.pts, bytes(packet))
        made: Packet[Stream] = av.Packet(data)
        made.stream, made.time_base = packet.stream, packet.time_base
        made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
        made.is_keyframe = packet.is_keyframe
        return made


def _in_hevc(data: bytes, message: bytes) -> bytes:
    """Before the first part of the picture, behind parameter sets; units begin with start codes."""
    for found in _START.finditer(data):
        unit = found.end()
        if unit < len(data) and data[unit] >> 1 & 63 in _PICTURES:
            at = found.start()
            if at and data[at - 1] == 0:  # a start code of four bytes
                at -= 1
            return data[:at] + _sei(message) + data[at:]
    return data


def _sei(message: bytes) -> bytes:
    size = bytes([255]) * (len(message) // 255) + bytes([len(message) % 255])
    content = bytes([_T35]) + size + message + b"\x80"
    # No start code may appear inside a unit.
    safe = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", content)
    return b"\x00\x00\x00\x01" + _PREFIX_SEI + safe


def _in_av1(data: bytes, message: bytes) -> bytes:
    """Before the last frame of the temporal unit, which is the one that is shown."""
    at, place = 0, None
    while at < len(data):
        header = data[at]
        start = at + (2 if header & 4 else 1)
        if not header & _HAS_SIZE:
            return data
        size, inside = _leb128(data, start)
        if header >> 3 & 15 in _FRAMES_OF_AV1:
            place = at
        at = inside + size
    if place is None:
        return data
    content = bytes([_T35]) + message + b"\x80"
    obu = bytes([_METADATA_OBU | _HAS_SIZE]) + _as_leb128(len(content)) + content
    return data[:place] + obu + data[place:]


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A number, and where what follows it begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if not byte & 128:
            return value, at


def _as_leb128(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_PLACES: dict[str, Callable[[bytes, bytes], bytes]] = {"libx265": _in_hevc, "libsvtav1": _in_av1}
