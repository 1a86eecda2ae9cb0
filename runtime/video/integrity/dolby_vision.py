"""Dolby Vision: which profile a file states, and whether its base layer can be shown alone.

Profile 5 has colours of its own (IPTPQc2), which nothing but a Dolby Vision decoder turns into
right ones. The base layers of profiles 7 and 8 are HDR10, HLG or SDR. The record is that of "Dolby
Vision Streams Within the ISO Base Media File Format", 3.2.
"""

from __future__ import annotations

import struct
from pathlib import Path

_BOXES = (b"dvcC", b"dvvC", b"dvwC")
_MATROSKA_TYPE = b"\x41\xe7\x84"  # BlockAddIDType, of four bytes
_MATROSKA_DATA = b"\x41\xed"  # BlockAddIDExtraData
_HEAD_BYTES = 1 << 20
_OWN_COLOURS = (5,)
_NO_BASE_LAYER = "whose colours nothing but a Dolby Vision decoder knows"


def check_profile(profile: int | None) -> str | None:
    """The line for the user about a clip of that profile, or `None`.

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


def profile_in_mp4(moov: bytes) -> int | None:
    """The profile that the tables of an MP4 or QuickTime file state; `None` without one."""
    for kind in _BOXES:
        place = moov.find(kind)
        while place >= 4:
            (size,) = struct.unpack_from(">I", moov, place - 4)
            if size == 32:  # that of such boxes
                return _profile(moov[place + 4 : place + 28])
            place = moov.find(kind, place + 1)
    return None


def profile_in_matroska(path: Path) -> int | None:
    """The profile that a track of a Matroska file states; `None` without one."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
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
