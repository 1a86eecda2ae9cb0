"""What HDR video says of itself beside its tags: the display it was graded on, and its brightness.

FFmpeg gives these as C structures; see libavutil/mastering_display_metadata.h, SMPTE ST 2086 and
CTA-861.3.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Protocol

_MASTERING = struct.Struct("=20i2i")
_LIGHT = struct.Struct("=2I")
_PRIMARY_UNITS, _LUMINANCE_UNITS = 50000, 10000

Chromaticity = tuple[float, float]


@dataclass(frozen=True)
class MasteringDisplay:
    """The display that a film was graded on: CIE 1931 x and y, and cd/m²."""

    red: Chromaticity
    green: Chromaticity
    blue: Chromaticity
    white: Chromaticity
    least: float
    most: float


@dataclass(frozen=True)
class HdrMetadata:
    """What a clip says; `None` where it does not."""

    display: MasteringDisplay | None = None
    most_light: tuple[int, int] | None = None
    """The brightest pixel (MaxCLL) and the brightest frame on average (MaxFALL), cd/m²."""
    is_dynamic: bool = False
    """Whether frames have HDR10+ metadata of their own."""

    def __bool__(self) -> bool:
        return self != HdrMetadata()


class SideData(Protocol):
    """What PyAV gives."""

    def __contains__(self, key: object) -> bool:
        """Whether there is side data of that name."""

    def __getitem__(self, key: Any) -> Any:  # noqa: ANN401 - PyAV's own types
        """The side data of that name."""


def read_hdr(side_data: SideData) -> HdrMetadata:
    """The metadata of a decoded frame, by FFmpeg's names of its side data."""
    display = light = None
    if "MASTERING_DISPLAY_METADATA" in side_data:
        display = _display(bytes(side_data["MASTERING_DISPLAY_METADATA"]))
    if "CONTENT_LIGHT_LEVEL" in side_data:
        data = bytes(side_data["CONTENT_LIGHT_LEVEL"])
        light = _LIGHT.unpack_from(data) if len(data) >= _LIGHT.size else None
    return HdrMetadata(display, light, "DYNAMIC_HDR_PLUS" in side_data)


def encoder_options(library: str, hdr: HdrMetadata) -> dict[str, str]:
    """The options with which an encoder of FFmpeg writes the metadata; {} if it cannot."""
    parts: list[tuple[str, str]] = []
    if library == "libx265":
        if hdr.display is not None:
            parts.append(("master-display", _in_units(hdr.display)))
        if hdr.most_light is not None:
            parts.append(("max-cll", "{},{}".format(*hdr.most_light)))
        return {"x265-params": _joined(parts)} if parts else {}
    if library == "libsvtav1":
        if hdr.display is not None:
            parts.append(("mastering-display", _in_numbers(hdr.display)))
        if hdr.most_light is not None:
            parts.append(("content-light", "{},{}".format(*hdr.most_light)))
        return {"svtav1-params": _joined(parts)} if parts else {}
    return {}


def _joined(parts: list[tuple[str, str]]) -> str:
    return ":".join(f"{key}={value}" for key, value in parts)


def _in_units(display: MasteringDisplay) -> str:
    """x265's form, in whole units of ST 2086."""
    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    text = "".join(
        f"{name}({round(x * _PRIMARY_UNITS)},{round(y * _PRIMARY_UNITS)})"
        for name, (x, y) in points
    )
    most, least = (round(v * _LUMINANCE_UNITS) for v in (display.most, display.least))
    return f"{text}L({most},{least})"


def _in_numbers(display: MasteringDisplay) -> str:
    """SVT-AV1's form."""
    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    text = "".join(f"{name}({x:.5f},{y:.5f})" for name, (x, y) in points)
    return f"{text}L({display.most:.4f},{display.least:.4f})"


def _display(data: bytes) -> MasteringDisplay | None:
    if len(data) < _MASTERING.size:
        return None
    numbers = _MASTERING.unpack_from(data)
    has_primaries, has_luminance = numbers[20:]
    if not has_primaries or not has_luminance:
        return None
    values = [
        numerator / denominator if denominator else 0.0
        for numerator, denominator in zip(numbers[:20:2], numbers[1:20:2], strict=True)
    ]
    red, green, blue, white = (tuple(values[at : at + 2]) for at in (0, 2, 4, 6))
    return MasteringDisplay(
        (red[0], red[1]),
        (green[0], green[1]),
        (blue[0], blue[1]),
        (white[0], white[1]),
        *values[8:],
    )
