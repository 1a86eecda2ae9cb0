"""Sound files whose clocks are unusual, and damaged ones that look sound."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framelift.common.errors import InputError
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.whole_file import upscale_video

from ...support.clips import Nearest, audio_packets, frame_times, make_clip, noise


def convert(source: Path, target: Path) -> None:
    upscale_video(source, target, Nearest(1), quiet=True, say=lambda _: None)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_matroska_that_begins_late_is_whole(tmp_path: Path, suffix: str) -> None:
    pts = [30000 + 1000 * i for i in range(40)]
    path = make_clip(tmp_path / "late.mkv", noise(40), pts=pts, rate=Fraction(30))
    convert(path, tmp_path / f"out{suffix}")
    times = frame_times(tmp_path / f"out{suffix}")
    assert times == pytest.approx([p / 30000 for p in pts], abs=6e-4)


def test_matroska_that_begins_late_and_was_cut_is_refused(tmp_path: Path) -> None:
    pts = [30000 + 1000 * i for i in range(90)]
    path = make_clip(tmp_path / "late.mkv", noise(90), pts=pts, rate=Fraction(30))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="damaged or cut short"):
        FileSource(path)


def test_audio_packets_of_one_time_are_kept(tmp_path: Path) -> None:
    # Opus packets of 2.5 ms in whole milliseconds: every second or third time is there twice.
    source = tmp_path / "short.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for index, image in enumerate(noise(5)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(0, 9600, 24):
            samples = np.full((1, 24), start, np.int16)
            piece = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
            container.mux(sound.encode(piece))
    times = [time for time, _ in audio_packets(source)]
    assert len(set(times)) < len(times)
    for suffix in (".mov", ".mkv"):
        convert(source, tmp_path / f"out{suffix}")
        sent = b"".join(data for _, data in audio_packets(source))
        assert b"".join(data for _, data in audio_packets(tmp_path / f"out{suffix}")) == sent


def test_a_rate_that_is_the_unit_of_time_is_not_taken_for_one(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "tape.dv",
        noise(3, 720, 576),
        pts=[0, 1, 2],
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        codec="dvvideo",
    )
    with FileSource(path, say=lambda _: None) as source:
        assert source.facts.average_rate == 25
    convert(path, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == [0, Fraction(1, 25), Fraction(2, 25)]


def test_frames_that_a_damaged_list_of_times_hides_are_missed(tmp_path: Path) -> None:
    # One time that is far too early makes libav leave out all frames behind it, without a word.
    path = make_clip(tmp_path / "a.mp4", noise(25), options={"bf": "2", "b-adapt": "0"})
    data = bytearray(path.read_bytes())
    table = data.index(b"ctts") + 4
    count = struct.unpack_from(">I", data, table + 4)[0]
    assert count > 12
    struct.pack_into(">i", data, table + 8 + 8 * 10 + 4, -1_000_000_000)
    path.write_bytes(data)
    with pytest.raises(InputError), FileSource(path, say=lambda _: None) as source:
        list(source)


def test_what_an_edit_list_leaves_out_is_no_damage(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", noise(25), options={"bf": "2", "g": "5"})
    data = bytearray(path.read_bytes())
    table = data.index(b"elst") + 4
    duration, start = struct.unpack_from(">Ii", data, table + 8)
    # Begin 6 frames later, in the middle of a group, and end 4 frames earlier.
    struct.pack_into(">Ii", data, table + 8, duration - duration * 10 // 25, start + 6 * 1001)
    struct.pack_into(">I", data, data.index(b"tkhd") + 4 + 20, duration - duration * 10 // 25)
    path.write_bytes(data)
    notes: list[str] = []
    with FileSource(path, say=notes.append) as source:
        frames = list(source)
    assert notes == [f"a.mp4: its edit list hides {25 - len(frames)} frames, from players as well"]
    assert [frame.pts_seconds for frame in frames] == frame_times(path)
    assert 14 <= len(frames) <= 16


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_a_transport_stream_that_changes_its_size_is_called_so(tmp_path: Path, codec: str) -> None:
    parts = [
        make_clip(
            tmp_path / f"{number}.ts",
            noise(25, width, height),
            pts=[25 * number + i for i in range(25)],
            time_base=Fraction(1, 25),
            rate=Fraction(25),
            codec=codec,
        ).read_bytes()
        for number, (width, height) in enumerate(((160, 128), (192, 112)))
    ]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    with (
        pytest.raises(InputError, match="changes from 160×128 yuv420p to 192×112 yuv420p"),
        FileSource(tmp_path / "a.ts", say=lambda _: None) as source,
    ):
        list(source)
