"""Dolby Vision: which profile a file states, and whether its base layer can be shown alone.

Profile 5 has colours of its own (IPTPQc2), which nothing but a Dolby Vision decoder turns into
right ones. The base layers of profiles 7 and 8 are HDR10, HLG or SDR. The record is that of "Dolby
Vision Streams Within the ISO Base Media File Format", 3.2.
"""

from __future__ import annotations

import struct
from pathlib import Path

from .mp4_structure import read_moov

_BOXES = (b"dvcC", b"dvvC", b"dvwC")
_MATROSKA_TYPE = b"\x41\xe7\x84"  # BlockAddIDType, of four bytes
_MATROSKA_DATA = b"\x41\xed"  # BlockAddIDExtraData
_HEAD_BYTES = 1 << 20
_OWN_COLOURS = (5,)
_NO_BASE_LAYER = "whose colours nothing but a Dolby Vision decoder knows"


def dolby_vision_profile(path: Path, format_name: str) -> int | None:
    """The profile that an MP4, QuickTime or Matroska file states; `None` without one."""
    try:
        if "matroska" in format_name:
            with path.open("rb") as file:
                return _in_matroska(file.read(_HEAD_BYTES))
        moov = read_moov(path) if "mp4" in format_name else None
    except (OSError, struct.error):
        return None
    return None if moov is None else _in_boxes(moov)


def check_profile(profile: int | None) -> str | None:
    """What is to be said of a clip of that profile, or `None`.

    Raises ValueError: its colours cannot be shown. The message is a clause without a subject.
    """
    if profile is None:
        return None
    if profile in _OWN_COLOURS:
        raise ValueError(
            f"is Dolby Vision of profile {profile}, {_NO_BASE_LAYER}; convert it to HDR10 or SDR "
            "first"
        )
    return f"Dolby Vision of profile {profile}: its base layer is upscaled, the rest is left out"


def _in_boxes(moov: bytes) -> int | None:
    """The profile of a record whose box has the size of such boxes."""
    for kind in _BOXES:
        place = moov.find(kind)
        while place >= 4:
            (size,) = struct.unpack_from(">I", moov, place - 4)
            if size == 32:
                return _profile(moov[place + 4 : place + 28])
            place = moov.find(kind, place + 1)
    return None


def _in_matroska(head: bytes) -> int | None:
    for kind in _BOXES:
        place = head.find(_MATROSKA_TYPE + kind)
        if place < 0:
            continue
        data = head.find(_MATROSKA_DATA, place)
        if 0 <= data - place < 64:
            return _profile(head[data + 3 : data + 27])
    return None


def _profile(record: bytes) -> int | None:
    return record[2] >> 1 if len(record) >= 4 else None
