"""Dolby Vision: profile 5 is refused by name, of 7 and 8 the base layer is used, with a note."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from framelift.common.errors import InputError
from framelift.runtime.video.integrity.damage import structure_of
from framelift.runtime.video.integrity.dolby_vision import profile_in_matroska
from framelift.runtime.video.reading.file_source import FileSource

from ...support.deep_clips import chart, ffprobe, make_deep_clip

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
_AROUND = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def _record(profile: int) -> bytes:
    """Version 1.0, level 6, with base layer and metadata."""
    return struct.pack(">BBH", 1, 0, profile << 9 | 6 << 3 | 0b101) + bytes(20)


def _state(path: Path, profile: int) -> None:
    """Put a Dolby Vision box into the description of the video of an MP4 whose index is last."""
    data = bytearray(path.read_bytes())
    entry = max(data.rfind(b"hev1"), data.rfind(b"hvc1")) - 4
    (size,) = struct.unpack_from(">I", data, entry)
    box = struct.pack(">I4s", 32, b"dvcC" if profile < 8 else b"dvvC") + _record(profile)
    places = [data.rfind(kind, 0, entry) - 4 for kind in _AROUND]
    for place in (*places, entry):
        (old,) = struct.unpack_from(">I", data, place)
        struct.pack_into(">I", data, place, old + len(box))
    data[entry + size : entry + size] = box
    path.write_bytes(data)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_deep_clip(tmp_path / "a.mp4", chart("yuv420p10le"), "yuv420p10le", kind="pq")


def test_profile_5_is_refused(clip: Path) -> None:
    _state(clip, 5)
    kinds = [part["side_data_type"] for part in ffprobe(clip)["side_data_list"]]
    assert "DOVI configuration record" in kinds  # the file is what it is made out to be
    with pytest.raises(InputError, match=r"a\.mp4: is Dolby Vision of profile 5, whose colours"):
        FileSource(clip)


@pytest.mark.parametrize("profile", [7, 8])
def test_the_base_layer_of_others_is_used_with_a_note(clip: Path, profile: int) -> None:
    _state(clip, profile)
    notes: list[str] = []
    with FileSource(clip, say=notes.append) as source:
        assert source.facts.colour.hdr == "PQ"
    assert notes == [
        f"a.mp4: Dolby Vision of profile {profile}: its base layer is upscaled, the rest is left "
        "out"
    ]


def test_matroska_states_it_in_its_track(tmp_path: Path) -> None:
    """The elements as mkvmerge writes them: BlockAdditionMapping with type and record."""
    mapping = b"\x41\xe7\x84dvcC" + b"\x41\xed\x98" + _record(5)
    path = tmp_path / "a.mkv"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100) + b"\x41\xe4\xa2" + mapping + bytes(50))
    assert profile_in_matroska(path) == 5


def test_other_files_state_none(clip: Path, tmp_path: Path) -> None:
    assert structure_of(clip, MP4).dolby_vision is None
    damaged = tmp_path / "b.mp4"
    for data in (b"", b"\0\0\0\1moov", bytes(100), clip.read_bytes()[:500]):
        damaged.write_bytes(data)
        assert structure_of(damaged, MP4).dolby_vision is None
