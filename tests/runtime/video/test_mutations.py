"""A damaged file gives all of its frames or one line, never fewer frames."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from framelift.common.errors import FrameliftError
from framelift.common.libraries.pyav import open_to_read
from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, make_clip, noise

FRAMES = 25
FAST = EncoderOptions(preset="ultrafast")
CODECS: dict[str, dict[str, Any]] = {
    "h264": {"codec": "libx264", "options": {"g": "8", "preset": "ultrafast", "bf": "2"}},
    "hevc": {
        "codec": "libx265",
        "options": {"preset": "ultrafast", "x265-params": "log-level=error:bframes=2:keyint=8"},
    },
    "mpeg4": {"codec": "mpeg4", "options": {"g": "8"}},
    "vp9": {"codec": "libvpx-vp9", "options": {"g": "8", "deadline": "realtime", "cpu-used": "8"}},
    "av1": {"codec": "libsvtav1", "options": {"g": "8", "preset": "12"}},
}


def changed(data: bytes, seed: str) -> bytes:
    """A copy with one change, half of the time near the beginning or the end."""
    rng = random.Random(seed)
    made, total = bytearray(data), len(data)
    at = rng.randrange(total)
    if rng.random() < 0.5:
        at = rng.choice((rng.randrange(600), total - 1 - rng.randrange(2500)))
    count = min(rng.choice((1, 2, 4, 8, 16, 64, 200)), total - at)
    other = rng.randrange(total - count)
    match rng.randrange(9):
        case 0:
            made[at] ^= 1 << rng.randrange(8)
        case 1:
            made[at] = rng.randrange(256)
        case 2:
            number = rng.choice((0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, rng.getrandbits(32)))
            made[at : at + 4] = number.to_bytes(4)
        case 3:
            made[at : at + count] = bytes(count)
        case 4:
            del made[at : at + count]
        case 5:
            made[at:at] = rng.randbytes(count)
        case 6:
            made[at:at] = made[other : other + count]
        case 7:
            made[at : at + count] = data[other : other + count]
        case 8:
            del made[at:]
    return bytes(made)


def clip(folder: Path, suffix: str, codec: str, container_options: dict[str, str]) -> bytes:
    path = make_clip(
        folder / f"seed{suffix}",
        noise(FRAMES, 64, 64),
        pts=[512 * i for i in range(FRAMES)],
        time_base=Fraction(1, 12800),
        rate=Fraction(25),
        audio="aac",
        container_options=container_options,
        **CODECS[codec],
    )
    return path.read_bytes()


def frames_of(data: bytes, folder: Path, suffix: str) -> int | None:
    """How many frames of a changed file come out, or `None` where one line says what is wrong."""
    source, target = folder / f"changed{suffix}", folder / f"out{suffix}"
    source.write_bytes(data)
    message = ""
    try:
        upscale_video(source, target, Nearest(1), FAST, quiet=True, say=lambda _: None)
    except FrameliftError as error:
        message = str(error)
    if message:
        assert message.startswith(f"{folder}")
        assert "\n" not in message
        assert not target.exists()
        return None
    with open_to_read(str(target)) as container:
        count = sum(1 for _ in container.decode(video=0))
    target.unlink()
    return count


def try_many(tmp_path: Path, suffix: str, data: bytes, seeds: range) -> None:
    assert frames_of(data, tmp_path, suffix) == FRAMES
    found = {seed: frames_of(changed(data, f"{suffix}{seed}"), tmp_path, suffix) for seed in seeds}
    assert {seed: count for seed, count in found.items() if count not in (None, FRAMES)} == {}
    assert None in found.values()


CONTAINERS = [
    (".mp4", {}),
    (".mp4", {"movflags": "+faststart"}),
    (".mkv", {}),
    (".mkv", {"write_crc32": "0"}),
]


@pytest.mark.parametrize(("suffix", "options"), CONTAINERS)
def test_changed_files_lose_no_frames(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    try_many(tmp_path, suffix, clip(tmp_path, suffix, "h264", options), range(60))


@pytest.mark.slow
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize(("suffix", "options"), CONTAINERS)
def test_many_changed_files_lose_no_frames(
    tmp_path: Path, suffix: str, options: dict[str, str], codec: str
) -> None:
    try_many(tmp_path, suffix, clip(tmp_path, suffix, codec, options), range(1000, 1500))


def test_trimmed_files_are_sound_and_say_so(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", noise(25), options={"bf": "2", "g": "25"}, audio="aac")
    with av.open(str(path)) as source, av.open(str(tmp_path / "cut.mp4"), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.dts is None or packet.pts is None:
                continue
            packet.pts, packet.dts = packet.pts - 7 * 1001, packet.dts - 7 * 1001
            packet.stream = stream
            target.mux_one(packet)
    notes: list[str] = []
    out = tmp_path / "out.mp4"
    upscale_video(tmp_path / "cut.mp4", out, Nearest(1), FAST, quiet=True, say=notes.append)
    assert notes == ["cut.mp4: its edit list hides 7 frames, from players as well"]
    with open_to_read(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 18


def test_what_is_behind_the_end_of_a_matroska_file_is_named_at_once(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", noise(5))
    with path.open("r+b") as file:  # a hole, which needs no room on the disk
        file.truncate(path.stat().st_size + (3 << 30))
    with pytest.raises(FrameliftError, match="3221225472 bytes of something else"):
        upscale_video(path, tmp_path / "o.mkv", Nearest(1), FAST, quiet=True, say=lambda _: None)
