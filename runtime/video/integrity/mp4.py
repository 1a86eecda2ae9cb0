"""Checks that the tables of an MP4 or MOV file agree: libav believes the shortest one."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

from .boxes import boxes, boxes_of_file
from .dolby_vision import profile_in_mp4
from .fragments import fragments_fault
from .structure import Structure

_LARGEST_MOOV = 1 << 28
_MOST_SAMPLES = 1 << 26
_KNOWN_IN_MOOV = {
    *(b"mvhd", b"trak", b"udta", b"meta", b"iods", b"mvex", b"free", b"skip", b"wide", b"uuid"),
    *(b"cmov", b"rmra", b"ctab", b"clip", b"prfl", b"pssh", b"imap", b"gpmd", b"PrEx"),
}
_FEW_FRAMES = 4
_SECONDS_APART = 0.1
_DAMAGED = "the file is damaged: "


@dataclass
class _Track:
    kind: bytes = b""
    timescale: int = 0
    duration: int = 0
    shown: int = 0
    """How long it is in the film, in the film's units."""
    samples: int | None = None
    deltas: list[tuple[int, int]] = field(default_factory=list)
    offsets: list[tuple[int, int]] = field(default_factory=list)
    edits: list[tuple[int, int]] = field(default_factory=list)
    """Length, in the film's units, and beginning, in the track's."""


def mp4_structure(path: Path) -> Structure:
    """Compare the tables of each track with each other, and fragments with their samples."""
    try:
        moov = _read_moov(path)
        if moov is None:
            return Structure()
        return replace(_structure(moov, path), dolby_vision=profile_in_mp4(moov))
    except (struct.error, IndexError, ValueError):
        return Structure(f"{_DAMAGED}its tables cannot be read")


def _structure(moov: bytes, path: Path) -> Structure:
    timescale, tracks, is_fragmented = 0, [], False
    for name, body in boxes(moov):
        if name == b"mvex":
            is_fragmented = True
        elif name == b"mvhd":
            timescale = struct.unpack_from(">I", body, 20 if body[0] else 12)[0]
        elif name == b"trak":
            tracks.append(_track(body))
        elif name not in _KNOWN_IN_MOOV and b"stsz" in body:
            return Structure(f"{_DAMAGED}a track has no sound name")
    if is_fragmented:
        has_samples = any(track.samples for track in tracks)
        return Structure(fragments_fault(path, moov, has_samples=has_samples))
    cuts, even, counts = False, True, list[int]()
    for track in tracks:
        if track.kind != b"vide" or not track.samples or not track.deltas:
            continue
        if not timescale or not track.timescale:
            return Structure(f"{_DAMAGED}its unit of time is missing")
        fault = _counts_fault(track) or _edits_fault(track, timescale, tracks)
        if fault:
            return Structure(_DAMAGED + fault)
        cuts = cuts or _cuts(track, timescale)
        even = even and _is_even(track.deltas, track.offsets)
        counts.append(track.samples)
    return Structure("", cuts and even, counts[0] if len(counts) == 1 else None)


def _counts_fault(track: _Track) -> str:
    stamped = sum(count for count, _ in track.deltas)
    if stamped != track.samples:
        return f"it has {track.samples} frames, but times for {stamped}"
    moved = sum(count for count, _ in track.offsets)
    if track.offsets and moved != track.samples:
        return f"it has {track.samples} frames, but times of display for {moved}"
    total = sum(count * delta for count, delta in track.deltas)
    longest = max(delta for _, delta in track.deltas)
    is_steady = len(track.deltas) <= 2  # else muxers reckon in different ways
    most = max(longest, track.timescale // 4)
    if is_steady and track.duration and abs(track.duration - total) > most:
        return "the times of its frames contradict its length"
    return ""


def _edits_fault(track: _Track, timescale: int, tracks: list[_Track]) -> str:
    """What is wrong with an edit list that leaves out frames."""
    if not _cuts(track, timescale):
        return ""
    if any(
        abs(sum(length for length, _ in one.edits) - one.shown) > max(2, timescale // 100)
        for one in tracks
        if one.edits and one.shown
    ):
        return "its list of edits contradicts the length of the track"
    units = {600, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 90_000, 44_100, 48_000}
    if timescale not in units | {one.timescale for one in tracks} and timescale % 600:
        return "the unit of its list of edits is not to be trusted"
    begin, end = _displayed(track)
    length, start = track.edits[-1]
    over = start + length * track.timescale / timescale - end
    if start > begin and over > (start - begin) / 2:
        return "its list of edits goes beyond its end"
    # Whoever cuts a film cuts its sound at the same place.
    others = [one for one in tracks if one.kind == b"soun" and one.duration and one.timescale]
    seconds = length / timescale
    if -over > _FEW_FRAMES * track.deltas[-1][1] and any(
        abs(one.duration / one.timescale - seconds) < _SECONDS_APART for one in others
    ):
        return "its edit list hides its end, but not that of its sound"
    return ""


def _cuts(track: _Track, timescale: int) -> bool:
    """Whether the edit list leaves out frames."""
    edits = [(length, start) for length, start in track.edits if start >= 0]
    if not edits or not timescale:
        return False
    begin, end = _displayed(track)
    half_frame = min(delta for _, delta in track.deltas) / 2
    length, start = edits[-1]
    last = start + (length + 1) * track.timescale / timescale
    return len(edits) > 1 or edits[0][1] > begin or (length > 0 and last < end - half_frame)


def _displayed(track: _Track) -> tuple[int, int]:
    """When the first frame is shown, and the last one no longer, in the track's units."""
    times = _display_times(track.deltas, track.offsets)
    return min(times), max(times) + track.deltas[-1][1]


def _display_times(deltas: list[tuple[int, int]], offsets: list[tuple[int, int]]) -> list[int]:
    """When each frame is shown, in the order of decoding, from the runs of the two tables."""
    decoded, now = [], 0
    for count, delta in deltas:
        for _ in range(count):
            decoded.append(now)
            now += delta
    moved = [offset for count, offset in offsets for _ in range(count)] or [0] * len(decoded)
    return [time + offset for time, offset in zip(decoded, moved, strict=True)]


def _read_moov(path: Path) -> bytes | None:
    """The content of the box with the tables of an MP4 or MOV file; None without one.

    Raises struct.error for a file that ends within the head of a box, and OSError.
    """
    with path.open("rb") as file:
        for box in boxes_of_file(file):
            if box.name == b"moov":
                file.seek(box.start + box.head)
                return file.read(box.size - box.head) if box.size < _LARGEST_MOOV else None
    return None


def _track(data: bytes) -> _Track:
    track = _Track()
    _fill(track, data)
    return track


def _fill(track: _Track, data: bytes) -> None:
    for name, body in boxes(data):
        version = body[0] if body else 0
        if name in (b"mdia", b"minf", b"stbl", b"edts"):
            _fill(track, body)
        elif name == b"tkhd":
            form, at = (">Q", 28) if version else (">I", 20)
            track.shown = struct.unpack_from(form, body, at)[0]
        elif name == b"mdhd":
            form, at = (">IQ", 20) if version else (">II", 12)
            track.timescale, track.duration = struct.unpack_from(form, body, at)
        elif name == b"hdlr":
            track.kind = track.kind or body[8:12]
        elif name in (b"stsz", b"stz2"):
            size, track.samples = struct.unpack_from(">II", body, 4)
            if track.samples > _MOST_SAMPLES or (size == 0 and track.samples > len(body)):
                raise ValueError("it has more frames than its box")
        elif name == b"stts":
            track.deltas = _runs(body, ">II")
        elif name == b"ctts":
            track.offsets = _runs(body, ">Ii")
        elif name == b"elst":
            track.edits = _edits(body, version)


def _runs(body: bytes, form: str) -> list[tuple[int, int]]:
    count = struct.unpack_from(">I", body, 4)[0]
    if 8 + 8 * count > len(body):
        raise ValueError("a table is longer than its box")
    return [struct.unpack_from(form, body, 8 + 8 * index) for index in range(count)]


def _edits(body: bytes, version: int) -> list[tuple[int, int]]:
    form, size = (">Qq", 20) if version else (">Ii", 12)
    count = struct.unpack_from(">I", body, 4)[0]
    if 8 + size * count > len(body):
        raise ValueError("a list of edits is longer than its box")
    return [struct.unpack_from(form, body, 8 + size * index) for index in range(count)]


def _is_even(deltas: list[tuple[int, int]], offsets: list[tuple[int, int]]) -> bool:
    """Whether frames that are decoded evenly are shown evenly, as they should be."""
    if len({delta for _, delta in deltas[:-1]}) > 1:
        return True
    shown = sorted(_display_times(deltas, offsets))
    return len({later - earlier for earlier, later in pairwise(shown[:-1])}) <= 1
