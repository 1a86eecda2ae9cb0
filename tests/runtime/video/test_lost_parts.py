"""Frames that are lost in the middle of a file are missed, whatever its format."""

from __future__ import annotations

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from framelift.common.errors import InputError
from framelift.common.images.formats.gif_blocks import gif_fault
from framelift.common.notes import silent
from framelift.runtime.still import ImageOptions
from framelift.runtime.still.animation import upscale_animation

from ...support.clips import Nearest, frame_times, make_clip, noise
from ...support.converting import convert

FRAMES = 20
H264 = {"codec": "libx264", "options": {"g": "5", "preset": "ultrafast"}}
"""Every fifth frame is a key frame, so that there are four fragments."""
FRAGMENTED = (
    "frag_keyframe+empty_moov",
    "frag_keyframe",  # the first frames have their tables in the header
    "frag_keyframe+separate_moof+default_base_moof",
    "frag_keyframe+delay_moov+omit_tfhd_offset",
    "cmaf+frag_keyframe",
)


def clip(path: Path, *, movflags: str = "", **options: Any) -> Path:  # noqa: ANN401
    """20 frames at 25 fps."""
    settings: dict[str, Any] = {
        "pts": list(range(FRAMES)),
        "time_base": Fraction(1, 25),
        "rate": Fraction(25),
        "container_options": {"movflags": movflags} if movflags else {},
    }
    return make_clip(path, noise(FRAMES), **(settings | options))


def boxes(data: bytes) -> list[tuple[bytes, int, int]]:
    """Name, beginning and end of the boxes of an MP4 file."""
    found, place = [], 0
    while place < len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        found.append((name, place, place + size))
        place += size
    return found


def is_refused(source: Path, data: bytes, match: str) -> None:
    """Replace the file by `data` and see that it is refused, and nothing left."""
    source.write_bytes(data)
    target = source.with_name("out.mp4")
    with pytest.raises(InputError, match=match):
        convert(source, target)
    assert [path.name for path in source.parent.iterdir()] == [source.name]


@pytest.mark.parametrize("movflags", FRAGMENTED)
@pytest.mark.parametrize("audio", [None, "aac"])
def test_fragmented_files_are_whole(tmp_path: Path, movflags: str, audio: str | None) -> None:
    source = clip(tmp_path / "a.mp4", movflags=movflags, audio=audio, **H264)
    source.write_bytes(source.read_bytes() + bytes(5000))
    convert(source, tmp_path / "out.mp4")
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES


def test_boxes_that_nobody_knows_are_left_out(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mp4", movflags=FRAGMENTED[4], **H264)
    data, unknown = source.read_bytes(), struct.pack(">I4s", 12, b"Xtra") + b"abcd"
    place = [start for name, start, _ in boxes(data) if name == b"moof"][1]
    source.write_bytes(data[:place] + unknown + data[place:] + unknown)
    convert(source, tmp_path / "out.mp4")
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES


def without_second_fragment(data: bytes) -> bytes:
    _, _, (_, start, _), (_, _, end), *_ = [
        box for box in boxes(data) if box[0] in (b"moof", b"mdat")
    ]
    return data[:start] + data[end:]


def without_some_bytes(data: bytes) -> bytes:
    place = [start for name, start, _ in boxes(data) if name == b"mdat"][1] + 100
    return data[:place] + data[place + 7 :]


def with_renamed_box(name: bytes, number: int) -> Callable[[bytes], bytes]:
    def renamed(data: bytes) -> bytes:
        place = [start for found, start, _ in boxes(data) if found == name][number] + 4
        return data[:place] + b"free" + data[place + 4 :]

    return renamed


def with_fewer_samples(data: bytes) -> bytes:
    place = data.index(b"trun", data.index(b"trun") + 4) + 8
    (count,) = struct.unpack_from(">I", data, place)
    return data[:place] + struct.pack(">I", count - 1) + data[place + 4 :]


def cut_in_a_fragment(data: bytes) -> bytes:
    return data[: [end for name, _, end in boxes(data) if name == b"mdat"][2] - 3]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (without_second_fragment, "a part of its fragments is missing"),
        (without_some_bytes, "between its fragments is something else"),
        (with_renamed_box(b"moof", 0), "a part of its fragments is missing"),
        (with_renamed_box(b"moof", 1), "a part of its fragments is missing"),
        (with_renamed_box(b"mdat", 1), "a part of its fragments is missing"),
        (with_fewer_samples, "a part of its fragments is missing"),
        (cut_in_a_fragment, "cut short within a fragment"),
    ],
)
def test_lost_fragments_are_missed(
    tmp_path: Path, damage: Callable[[bytes], bytes], match: str
) -> None:
    source = clip(tmp_path / "a.mp4", movflags=FRAGMENTED[0], **H264)
    is_refused(source, damage(source.read_bytes()), match)


def test_lost_pages_of_ogg_are_missed(tmp_path: Path) -> None:
    pages = {"page_duration": "100000"}
    fast = {"deadline": "realtime"}
    source = clip(tmp_path / "a.ogg", codec="libvpx", options=fast, container_options=pages)
    source = source.rename(tmp_path / "a.ogv")
    data = source.read_bytes()
    is_refused(source, data[: data.rindex(b"OggS")], "the end mark of a stream is missing")
    place = data.index(b"OggS", len(data) // 4)
    is_refused(source, data[: place + 50] + bytes(20) + data[place + 70 :], "damaged or cut short")
    source.write_bytes(data)
    convert(source, tmp_path / "out.mp4")
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES


def test_lost_frames_of_mxf_are_missed(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.mxf", codec="mpeg2video", options={"g": "1"})
    data = source.read_bytes()
    picture = b"\x06\x0e\x2b\x34\x01\x02\x01\x01\x0d\x01\x03\x01\x15"
    places = [place for place in range(len(data)) if data.startswith(picture, place)]
    assert len(places) == FRAMES
    is_refused(source, data[: places[7]] + data[places[8] :], "19 of 20 frames are there")


def test_lost_frames_of_an_avi_without_its_list_are_missed(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p")
    data = source.read_bytes()
    places = [place for place in range(len(data)) if data.startswith(b"00dc", place)]
    data = data[: data.index(b"idx1")].replace(data[places[7] : places[8]], b"")
    is_refused(source, data, "19 of 20 frames are there")


def test_pauses_in_an_avi_without_its_list_are_no_lost_frames(tmp_path: Path) -> None:
    """Its writer counts an empty packet for each frame of a pause."""
    pts = [number + 10 * (number > 9) for number in range(FRAMES)]
    source = clip(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p", pts=pts)
    data = source.read_bytes()
    data = data[: data.index(b"idx1")]
    source.write_bytes(data[:4] + struct.pack("<I", len(data) - 8) + data[8:])
    convert(source, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == [Fraction(number, 25) for number in pts]
    (tmp_path / "out.mp4").unlink()
    places = [place for place in range(len(data)) if data.startswith(b"00dc", place)]
    is_refused(source, data.replace(data[places[7] : places[8]], b""), "19 of 20 frames are there")


def test_lost_bytes_of_an_avi_are_missed(tmp_path: Path) -> None:
    source = clip(tmp_path / "a.avi", codec="mjpeg", pixel_format="yuvj420p")
    data = source.read_bytes()
    places = [place for place in range(len(data)) if data.startswith(b"00dc", place)]
    is_refused(source, data[: places[7] + 2] + data[places[8] + 2 :], "frames are there")


@pytest.mark.parametrize(
    ("suffix", "lost", "said"),
    [
        (".ts", [20, 21, 30], "has 2 gaps, in which 3 frames seem to be lost; the first begins"),
        (".mpg", [20], "has a gap, in which 1 frame seems to be lost; it begins at"),
        (".wmv", [20], "has a gap, in which 1 frame seems to be lost; it begins at 0.7"),
        (".ts", [], ""),
        (".ts", [1, 2, 4, 7, 9, 12, 20, 24, 30], ""),  # uneven, as phones film
        (".mp4", [20], ""),  # its tables agree: the pause was filmed
    ],
)
def test_gaps_between_even_frames_are_named(
    tmp_path: Path, suffix: str, lost: list[int], said: str
) -> None:
    source = make_clip(
        tmp_path / f"a{suffix}",
        noise(40 - len(lost)),
        pts=[number for number in range(40) if number not in lost],
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        codec="wmv2" if suffix == ".wmv" else "mpeg2video",
        options={"bf": "0"},
    )
    notes = convert(source, tmp_path / "out.mp4")
    assert [note for note in notes if "gap" in note] == [note for note in notes if said][:1]
    assert said in " ".join(notes)
    assert len(frame_times(tmp_path / "out.mp4")) == 40 - len(lost)


def gif(path: Path) -> Path:
    images = [Image.fromarray(image[..., ::-1]) for image in noise(FRAMES, 32, 24)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=40, loop=0)
    return path


@pytest.mark.parametrize(
    "behind", [bytes(5000), b"\n", b";", b"<!-- by a web server -->\n", b"PK;"]
)
def test_what_is_behind_the_end_of_a_gif_does_no_harm(tmp_path: Path, behind: bytes) -> None:
    source = gif(tmp_path / "a.gif")
    source.write_bytes(source.read_bytes() + behind)
    convert(source, tmp_path / "out.mp4")
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES


@pytest.mark.parametrize("start", [b"\x21\xf9", b"\x2c\0"])
def test_a_damaged_byte_that_ends_a_gif_is_missed(start: bytes, tmp_path: Path) -> None:
    data = gif(tmp_path / "a.gif").read_bytes()
    place = data.index(start, len(data) // 2)
    assert gif_fault(data[:place] + b";" + data[place + 1 :])


def test_a_gif_with_something_else_between_its_frames_is_refused(tmp_path: Path) -> None:
    source = gif(tmp_path / "a.gif")
    data = source.read_bytes()
    assert gif_fault(data) == ""
    place = data.index(b"\x21\xf9", len(data) // 2)
    damaged = data[:place] + b"\x99" + data[place + 1 :]
    is_refused(source, damaged, "something else between the blocks of a GIF")
    with pytest.raises(InputError, match="something else between the blocks of a GIF"):
        upscale_animation(
            source,
            tmp_path / "b.gif",
            Nearest(),
            ImageOptions(),
            scale=2,
            progress=lambda done, total: None,
            say=silent,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]
    is_refused(source, data[:place], "end mark of a GIF is missing")
