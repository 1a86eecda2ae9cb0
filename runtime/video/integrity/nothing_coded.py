"""Packets of MPEG-4 that say that nothing changed, and give no frame."""

from __future__ import annotations

import re

_MOST_BYTES = 64
"""Such a packet has about 10."""
_LAYER = re.compile(rb"\x00\x00\x01[\x20-\x2f]")
_PICTURE = b"\x00\x00\x01\xb6"
_WIDE_PIXELS = 15
_BUFFER_BITS = 79


class NothingCoded:
    """Tells these packets by `vop_coded` of ISO/IEC 14496-2, 6.2.5.

    Where the bit lies depends on the header of the layer (6.2.3), which stands in `extradata`, the
    headers of the stream, or in a packet.
    """

    def __init__(self, extradata: bytes) -> None:
        self._time_bits: int | None = None
        self._read_layer(extradata)

    def __call__(self, packet: bytes) -> bool:
        """Whether a packet gives no frame; to be asked of each one, in the order of decoding."""
        if self._time_bits is None:
            self._read_layer(packet)
        place = packet.find(_PICTURE)
        if self._time_bits is None or place < 0 or len(packet) > _MOST_BYTES:
            return False
        bits = _Bits(packet[place + len(_PICTURE) :])
        try:
            bits.take(2)  # vop_coding_type
            while bits.take(1):  # modulo_time_base
                pass
            bits.take(1 + self._time_bits + 1)
            return not bits.take(1)
        except IndexError:
            return False

    def _read_layer(self, data: bytes) -> None:
        found = _LAYER.search(data)
        if found is None:
            return
        bits = _Bits(data[found.end() :])
        try:
            bits.take(9)  # random_accessible_vol, video_object_type_indication
            if bits.take(1):  # is_object_layer_identifier
                bits.take(7)
            if bits.take(4) == _WIDE_PIXELS:
                bits.take(16)
            if bits.take(1):  # vol_control_parameters
                bits.take(3)
                if bits.take(1):  # vbv_parameters
                    bits.take(_BUFFER_BITS)
            bits.take(3)  # a rectangle, as in all files, and a marker
            self._time_bits = max(1, (bits.take(16) - 1).bit_length())
        except IndexError:
            return


class _Bits:
    """Reads numbers, the highest bit first."""

    def __init__(self, data: bytes) -> None:
        self._data = data[:_MOST_BYTES]
        self._place = 0

    def take(self, count: int) -> int:
        """The next number of so many bits. Raises IndexError: there are not so many left."""
        value = 0
        for place in range(self._place, self._place + count):
            value = value << 1 | self._data[place // 8] >> 7 - place % 8 & 1
        self._place += count
        return value
