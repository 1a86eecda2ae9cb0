"""HDR10+ metadata of a frame, as FFmpeg has it and as bitstreams store it.

FFmpeg's structure is AVDynamicHDRPlus of libavutil/hdr_dynamic_metadata.h. The message is that of
SMPTE ST 2094-40 for ITU-T T.35, as CTA-861.4 orders its bits.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_RATIONAL = struct.Struct("=2i")
_HEAD = bytes.fromhex("b5003c000104")  # United States, Samsung, 2094-40, application 4
_WINDOWS = 3
_SIDE = 25  # of the grid that peaks are stored in
_PERCENTILES, _ANCHORS = 15, 15


class HdrPlusError(Exception):
    """The metadata cannot be stated; the message is a clause without a subject."""


def message_of(structure: bytes) -> bytes:
    """The T.35 message, from its country code on, of the bytes of an AVDynamicHDRPlus.

    Raises HdrPlusError: it has several windows, whose places are those of the small picture, or it
    is not such a structure.
    """
    try:
        return _message(_Reader(structure))
    except (struct.error, IndexError, OverflowError, ZeroDivisionError) as error:
        raise HdrPlusError("is not readable") from error


def _message(reader: _Reader) -> bytes:
    bits = _Bits()
    _, version, windows = reader.take("3B")
    if windows != 1:
        raise HdrPlusError("has several windows")
    colours, *_ = [_Colours.read(reader) for _ in range(_WINDOWS)]
    most = reader.rational()
    targeted, mastering = _Peaks.read(reader), _Peaks.read(reader)
    bits.put(version, 8)
    bits.put(windows, 2)
    bits.put_scaled(most, 1, 27)
    targeted.write(bits)
    colours.write_light(bits)
    mastering.write(bits)
    colours.write_tones(bits)
    return _HEAD + bits.to_bytes()


@dataclass(frozen=True)
class _Colours:
    """What holds for a window, the whole picture."""

    brightest: list[tuple[int, int]]
    average: tuple[int, int]
    percentiles: list[tuple[int, tuple[int, int]]]
    bright: tuple[int, int]
    knee: tuple[tuple[int, int], tuple[int, int]] | None
    anchors: list[tuple[int, int]]
    saturation: tuple[int, int] | None

    @classmethod
    def read(cls, reader: _Reader) -> _Colours:
        reader.take("8i2HB3Hi", align=4)  # the place of the window, and how it overlaps
        brightest = [reader.rational() for _ in range(3)]
        average = reader.rational()
        (count,) = reader.take("B")
        percentiles = []
        for _ in range(_PERCENTILES):
            (percentage,) = reader.take("B", align=4)
            percentiles.append((percentage, reader.rational()))
        bright = reader.rational()
        (maps_tones,) = reader.take("B")
        knee = reader.rational(), reader.rational()
        (anchor_count,) = reader.take("B")
        anchors = [reader.rational() for _ in range(_ANCHORS)]
        (saturates,) = reader.take("B")
        weight = reader.rational()
        return cls(
            brightest,
            average,
            percentiles[:count],
            bright,
            knee if maps_tones else None,
            anchors[:anchor_count],
            weight if saturates else None,
        )

    def write_light(self, bits: _Bits) -> None:
        """What was measured in the picture."""
        for value in (*self.brightest, self.average):
            bits.put_scaled(value, 100000, 17)
        bits.put(len(self.percentiles), 4)
        for percentage, value in self.percentiles:
            bits.put(percentage, 7)
            bits.put_scaled(value, 100000, 17)
        bits.put_scaled(self.bright, 1000, 10)

    def write_tones(self, bits: _Bits) -> None:
        """The curve by which a dimmer display shows it."""
        bits.put(self.knee is not None, 1)
        if self.knee is not None:
            for value in self.knee:
                bits.put_scaled(value, 4095, 12)
            bits.put(len(self.anchors), 4)
            for value in self.anchors:
                bits.put_scaled(value, 1023, 10)
        bits.put(self.saturation is not None, 1)
        if self.saturation is not None:
            bits.put_scaled(self.saturation, 8, 6)


@dataclass(frozen=True)
class _Peaks:
    """The brightest light in each part of a display, if it is stated."""

    rows: int
    columns: int
    values: list[tuple[int, int]] | None

    @classmethod
    def read(cls, reader: _Reader) -> _Peaks:
        stated, rows, columns = reader.take("3B")
        if not stated:
            reader.skip_rationals(_SIDE * _SIDE)
            return cls(rows, columns, None)
        grid = [reader.rational() for _ in range(_SIDE * _SIDE)]
        values = [grid[_SIDE * row + column] for row in range(rows) for column in range(columns)]
        return cls(rows, columns, values)

    def write(self, bits: _Bits) -> None:
        bits.put(self.values is not None, 1)
        if self.values is None:
            return
        bits.put(self.rows, 5)
        bits.put(self.columns, 5)
        for value in self.values:
            bits.put_scaled(value, 15, 4)


class _Reader:
    """A C structure, from its beginning; rationals and numbers of 32 bits are aligned."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, form: str, *, align: int = 1) -> tuple[int, ...]:
        layout = struct.Struct(f"@{form}")
        self._at += -self._at % align
        found: tuple[int, ...] = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return found

    def rational(self) -> tuple[int, int]:
        self._at += -self._at % 4
        found: tuple[int, int] = _RATIONAL.unpack_from(self._data, self._at)
        self._at += _RATIONAL.size
        return found

    def skip_rationals(self, count: int) -> None:
        self._at += -self._at % 4 + count * _RATIONAL.size


class _Bits:
    """Numbers behind each other, the highest bit first."""

    def __init__(self) -> None:
        self._text: list[str] = []

    def put(self, value: int, count: int) -> None:
        if not 0 <= int(value) < 1 << count:
            raise OverflowError
        self._text.append(format(int(value), f"0{count}b"))

    def put_scaled(self, value: tuple[int, int], unit: int, count: int) -> None:
        """A rational in fractions of `unit`."""
        numerator, denominator = value
        self.put((2 * numerator * unit + denominator) // (2 * denominator), count)

    def to_bytes(self) -> bytes:
        text = "".join(self._text)
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")
