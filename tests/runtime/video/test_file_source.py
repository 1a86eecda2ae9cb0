"""Decoding: exact times, right colours, and no file passed off as complete that is not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from framelift.common.errors import InputError
from framelift.runtime.video.reading.file_source import FileSource

from ...support.clips import BARS_BGR, colour_bars, make_clip, noise


def read(path: Path, notes: list[str] | None = None) -> list[tuple[Fraction, np.ndarray]]:
    say = (notes if notes is not None else []).append
    with FileSource(path, say=say) as source:
        return [(frame.pts_seconds, frame.bgr) for frame in source]


def test_variable_frame_rate_is_read_exactly(tmp_path: Path) -> None:
    pts = [0, 1001, 2002, 5005, 6006, 6007, 9000, 20000, 40001]
    path = make_clip(tmp_path / "vfr.mp4", noise(len(pts)), pts=pts)
    notes: list[str] = []
    assert [time for time, _ in read(path, notes)] == [Fraction(p, 30000) for p in pts]
    assert notes == []


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (6, 1, 6, 6), (5, 2, 5, 6), (2, 0, 2, 2)])
def test_colour_bars_are_read_within_two_code_values(
    tmp_path: Path, colour: tuple[int, int, int, int]
) -> None:
    bars = colour_bars()
    path = make_clip(tmp_path / "bars.mp4", [bars] * 3, colour=colour, options={"crf": "1"})
    _, image = read(path)[1]
    middles = image[20, 8::16].astype(int)
    assert np.abs(middles - np.array(BARS_BGR)).max() <= 2


def test_untagged_clips_are_taken_for_bt709_from_720_lines_up(tmp_path: Path) -> None:
    low = make_clip(tmp_path / "low.mp4", noise(2))
    high = make_clip(tmp_path / "high.mp4", noise(2, 64, 720), options={"preset": "ultrafast"})
    with FileSource(low) as source:
        assert source.facts.colour.matrix == 6
    with FileSource(high) as source:
        assert source.facts.colour.matrix == 1


def test_facts_of_a_clip(tmp_path: Path) -> None:
    path = make_clip(
        tmp_path / "a.mp4",
        noise(7, 50, 30),
        colour=(1, 1, 1, 1),
        sample_aspect_ratio=Fraction(4, 3),
        display_matrix=[0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30],
        metadata={"title": "A title"},
    )
    with FileSource(path) as source:
        facts = source.facts
    assert (facts.width_px, facts.height_px, facts.frame_count_estimate) == (50, 30, 7)
    assert facts.average_rate == Fraction(30000, 1001)
    assert facts.sample_aspect_ratio == Fraction(4, 3)
    assert facts.display_matrix is not None
    assert facts.display_matrix[:5] == (0, 65536, 0, -65536, 0)
    assert (facts.colour.matrix, facts.colour.primaries, facts.colour.transfer) == (1, 1, 1)
    assert facts.metadata["title"] == "A title"


def test_transport_streams_begin_at_zero_and_keep_their_steps(tmp_path: Path) -> None:
    pts = [3000 * i for i in range(9)]
    path = make_clip(
        tmp_path / "a.ts", noise(9), pts=pts, time_base=Fraction(1, 90000), rate=Fraction(30)
    )
    assert [time for time, _ in read(path)] == [Fraction(p, 90000) for p in pts]


def test_raw_streams_without_times_get_them_from_the_rate(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.h264", noise(9), options={"bf": "0"})
    times = [time for time, _ in read(path)]
    assert len(times) == 9
    assert len({b - a for a, b in pairwise(times)}) == 1


def test_ten_bits_are_reduced_with_a_note(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mkv", noise(3), codec="ffv1", pixel_format="yuv420p10le")
    notes: list[str] = []
    assert len(read(path, notes)) == 3
    assert notes == ["a.mkv: yuv420p10le is reduced to 8 bits per channel"]


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_where_frames_have_8_bits(tmp_path: Path, transfer: int, name: str) -> None:
    path = make_clip(tmp_path / "hdr.mp4", pixel_format="yuv420p10le", colour=(9, 1, 9, transfer))
    notes: list[str] = []
    with FileSource(path, say=notes.append) as source:
        assert source.facts.colour.hdr == name
        with pytest.raises(InputError, match=f"hdr.mp4: is HDR video \\({name}"):
            next(iter(source))
    assert not notes  # that it is reduced to 8 bits, for instance, which does not happen


def test_interlaced_frames_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    combed = [image.copy() for image in noise(10)]
    for this, after in zip(combed, [*combed[1:], combed[-1]], strict=True):
        this[1::2] = after[1::2]
    path = make_clip(tmp_path / "i.mp4", combed, interlaced=True)
    notes: list[str] = []
    assert [time for time, _ in read(path, notes)] == [Fraction(i * 1001, 30000) for i in range(10)]
    assert notes == ["i.mp4: interlaced; each frame is deinterlaced (bwdif)"]


def cut(path: Path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


def scribble(path: Path) -> None:
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(1).bytes(3000)
    path.write_bytes(data)


def test_a_gif_without_its_end_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.gif", noise(6), codec="gif", pixel_format="rgb8")
    with FileSource(path) as source:
        assert sum(1 for _ in source) == 6
    path.write_bytes(path.read_bytes() + bytes(20))  # as some writers pad it
    with FileSource(path) as source:
        assert sum(1 for _ in source) == 6
    cut(path, 0.7)
    with pytest.raises(InputError, match="the end mark of a GIF is missing"):
        FileSource(path)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("moov-last.mp4", lambda path: cut(path, 0.6)),
        ("moov-first.mp4", lambda path: cut(path, 0.6)),
        ("fragmented.mp4", lambda path: cut(path, 0.6)),
        ("a.mkv", lambda path: cut(path, 0.6)),
        ("a.webm", lambda path: cut(path, 0.6)),
        ("a.avi", lambda path: cut(path, 0.6)),
        ("a.flv", lambda path: cut(path, 0.6)),
        ("a.ts", lambda path: path.write_bytes(path.read_bytes()[:-100])),
        ("scribbled.mp4", scribble),
        ("scribbled.mkv", scribble),
        ("scribbled.ts", scribble),
        ("scribbled.flv", scribble),
        ("scribbled.webm", scribble),
        ("scribbled.avi", scribble),
    ],
)
def test_damaged_files_never_end_well(
    tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    flags = {"moov-first.mp4": "+faststart", "fragmented.mp4": "+frag_keyframe+empty_moov"}
    rng = np.random.default_rng(0)
    hard = [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(40)]
    options = {"movflags": flags[name]} if name in flags else {}
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(Path(name).suffix, "libx264")
    path = make_clip(
        tmp_path / name,
        hard,
        codec=codec,
        options={"g": "10", "deadline": "realtime"} if codec == "libvpx-vp9" else {"g": "10"},
        container_options=options,
        audio="libopus" if codec == "libvpx-vp9" else "aac",
    )
    assert len(read(path)) == 40
    damage(path)
    with pytest.raises(InputError, match=f"{name}: "):
        read(path)


def test_a_longer_audio_track_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "long-audio.mkv"
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=30)
        audio = container.add_stream("aac", rate=48000)
        assert isinstance(video, av.VideoStream)
        assert isinstance(audio, av.AudioStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        for index, image in enumerate(noise(6)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        for start in range(0, 3 * 48000, 960):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), "s16", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, start, Fraction(1, 48000)
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    assert len(read(path)) == 6


def test_a_size_change_on_the_way_is_refused(tmp_path: Path) -> None:
    first = make_clip(tmp_path / "1.h264", noise(4), options={"bf": "0"})
    second = make_clip(tmp_path / "2.h264", noise(4, 96, 48), options={"bf": "0"})
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(InputError, match="changes from 64×48 yuv420p to 96×48"):
        read(both)


def test_no_video_is_refused(tmp_path: Path) -> None:
    text, empty, sound = tmp_path / "text.mp4", tmp_path / "empty.mp4", tmp_path / "sound.mp4"
    text.write_text("This is no video.\n" * 20)
    empty.touch()
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        assert isinstance(stream, av.AudioStream)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"text.mp4: cannot be read as a video"):
        FileSource(text)
    with pytest.raises(InputError, match=r"empty.mp4: the file is empty"):
        FileSource(empty)
    with pytest.raises(InputError, match=r"sound.mp4: has no video stream"):
        FileSource(sound)
    with pytest.raises(InputError, match=r"nothing.mp4: no such file"):
        FileSource(tmp_path / "nothing.mp4")
    with pytest.raises(InputError, match="is a folder"):
        FileSource(tmp_path)


def test_several_video_streams_are_mentioned(shared: Path) -> None:
    notes: list[str] = []
    with FileSource(shared / "data/video/nasa_13013.mp4", say=notes.append) as source:
        assert source.facts.width_px == 480
    assert "contains 2 video streams; only stream 3 is upscaled" in notes[0]


def one_clock(data: bytes) -> bytes:
    """The packets of MPEG-TS numbered on, so that nothing seems to be missing between them."""
    numbered, last = bytearray(data), dict[int, int]()
    for at in range(0, len(data), 188):
        stream = (data[at + 1] & 0x1F) << 8 | data[at + 2]
        if data[at + 3] & 0x10:
            last[stream] = (last.get(stream, -1) + 1) % 16
        numbered[at + 3] = data[at + 3] & 0xF0 | last.get(stream, 0)
    return bytes(numbered)


def test_a_clock_that_begins_anew_is_refused(tmp_path: Path) -> None:
    data = make_clip(tmp_path / "a.ts").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one_clock(data + data))
    with pytest.raises(InputError, match=r"joined\.ts: its clock jumps back by 0\.37 s at 0\.37 s"):
        read(joined)


def test_times_that_go_back_a_little_are_moved_with_a_note(tmp_path: Path) -> None:
    path, stamps = tmp_path / "back.mkv", [0, 40, 80, 60, 160, 200]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        picture = cv2.imencode(".jpg", noise(1)[0])[1].tobytes()
        for order, pts in enumerate(stamps):
            packet = av.Packet(picture)
            packet.pts, packet.dts, packet.time_base = pts, order, Fraction(1, 1000)
            packet.stream = stream
            container.mux(packet)
    notes: list[str] = []
    times = [time for time, _ in read(path, notes)]
    assert times == [Fraction(t, 1000) for t in (0, 40, 80, 81, 160, 200)]
    assert len(notes) == 1
    assert "1 frames had the time" in notes[0]


@pytest.mark.parametrize(
    ("orientation", "first_row"), [(1, (65536, 0)), (6, (0, 65536)), (3, (-65536, 0))]
)
def test_frames_with_exif_are_read_and_turned(
    tmp_path: Path, orientation: int, first_row: tuple[int, int]
) -> None:
    tag = b"\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([orientation, 0, 0, 0])
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + tag + bytes(4)
    plain = cv2.imencode(".jpg", noise(1)[0])[1].tobytes()
    picture = plain[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + plain[2:]
    path = tmp_path / "camera.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(3):
            packet = av.Packet(picture)
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 25), stream
            container.mux(packet)
    with FileSource(path) as source:
        assert len(list(source)) == 3
        assert (source.facts.display_matrix or (65536, 0))[:2] == first_row
