"""HDR metadata beside the colour tags: the display it was graded on, and its brightness.

FFmpeg gives these as C structures; see libavutil/mastering_display_metadata.h, SMPTE ST 2086 and
CTA-861.3.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData

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


def read_hdr(side_data: Mapping[str, SideData]) -> HdrMetadata:
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
    form = _FORMS.get(library)
    if form is None:
        return {}
    parts = []
    if hdr.display is not None:
        parts.append(f"{form.display}={_written(hdr.display, form)}")
    if hdr.most_light is not None:
        parts.append(f"{form.light}={hdr.most_light[0]},{hdr.most_light[1]}")
    return {form.option: ":".join(parts)} if parts else {}


class _Form(NamedTuple):
    """How an encoder takes the metadata: its option, the names of the two parts, its numbers."""

    option: str
    display: str
    light: str
    place: Callable[[float], str]
    luminance: Callable[[float], str]


_FORMS = {
    "libx265": _Form(  # in whole units of ST 2086
        "x265-params",
        "master-display",
        "max-cll",
        lambda value: str(round(value * _PRIMARY_UNITS)),
        lambda value: str(round(value * _LUMINANCE_UNITS)),
    ),
    "libsvtav1": _Form(
        "svtav1-params",
        "mastering-display",
        "content-light",
        lambda value: f"{value:.5f}",
        lambda value: f"{value:.4f}",
    ),
}


def _written(display: MasteringDisplay, form: _Form) -> str:
    points = (("G", display.green), ("B", display.blue), ("R", display.red), ("WP", display.white))
    text = "".join(f"{name}({form.place(x)},{form.place(y)})" for name, (x, y) in points)
    return f"{text}L({form.luminance(display.most)},{form.luminance(display.least)})"


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
    red, green, blue, white = zip(values[:8:2], values[1:8:2], strict=True)
    return MasteringDisplay(red, green, blue, white, *values[8:])
