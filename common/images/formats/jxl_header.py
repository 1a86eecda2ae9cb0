"""The bits per channel of a JPEG XL file, as of ISO/IEC 18181-1; nothing is decoded."""

from __future__ import annotations

from .avif_boxes import boxes

_CODESTREAM = b"\xff\x0a"
_SIZES = ((1, 9), (1, 13), (1, 18), (1, 30))
_INTEGERS = ((8, 0), (10, 0), (12, 0), (1, 6))
_FLOATS = ((32, 0), (16, 0), (24, 0), (1, 6))
_ANIMATION = (
    ((100, 0), (1000, 0), (1, 10), (1, 30)),
    ((1, 0), (1001, 0), (1, 8), (1, 10)),
    ((0, 0), (0, 3), (0, 16), (0, 32)),
)


def bits_per_channel(data: bytes) -> int:
    """1 to 32; 8 if the file does not say, or has a preview."""
    codestream = _codestream(data)
    if not codestream.startswith(_CODESTREAM):
        return 8
    bits = _Bits(codestream[2:64])
    _size(bits)
    if bits.take(1):  # all as usual
        return 8
    if bits.take(1):
        bits.take(3)  # orientation
        if bits.take(1):
            _size(bits)
        if bits.take(1):
            return 8
        if bits.take(1):
            for choices in _ANIMATION:
                bits.choose(choices)
            bits.take(1)
    return bits.choose(_FLOATS if bits.take(1) else _INTEGERS)


def _size(bits: _Bits) -> None:
    is_small = bits.take(1)

    def side() -> None:
        if is_small:
            bits.take(5)
        else:
            bits.choose(_SIZES)

    side()
    if not bits.take(3):  # no ratio of the sides that has a number
        side()


def _codestream(data: bytes) -> bytes:
    if data.startswith(_CODESTREAM):
        return data
    for kind, start, end in boxes(data, 0, len(data)):
        if kind in (b"jxlc", b"jxlp"):
            return data[start + (4 if kind == b"jxlp" else 0) : end]
    return b""


class _Bits:
    """Numbers of a header, the lowest bit first; behind the end all are 0."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """The next number of so many bits."""
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value

    def choose(self, choices: tuple[tuple[int, int], ...]) -> int:
        """A number whose first two bits say what is added to how many further bits."""
        offset, count = choices[self.take(2)]
        return offset + self.take(count)
