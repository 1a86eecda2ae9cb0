"""Videos that are upscaled in pieces and joined equal those that were not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from framelift.common.errors import InputError
from framelift.runtime import Upscaler
from framelift.runtime.video.pieces import Piece, join_pieces, plan_pieces, upscale_piece
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.resume.segments import work_path
from framelift.runtime.video.step import FrameUpscaler
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, audio_packets, chapter, frame_times, make_clip, noise

QUICK = EncoderOptions(preset="ultrafast")
LOSSLESS = EncoderOptions("ffv1")
SEGMENTS = ConvertOptions(resume="model", segment_frames=10)
KEYS = {"g": "12", "bf": "3"}


def split(
    source: Path,
    target: Path,
    seconds: float = 1.0,
    upscaler: FrameUpscaler | None = None,
    encoder: EncoderOptions = QUICK,
) -> list[Piece]:
    """Make `target` of pieces, the last one first, as another machine may be quicker."""
    pieces = plan_pieces(source, seconds, segment_frames=10)
    places = [target.parent / f"{piece.number}.mp4" for piece in pieces]
    made = list(zip(pieces, places, strict=True))
    for piece, place in reversed(made):
        upscale_piece(source, piece, place, upscaler or Nearest(2), encoder, SEGMENTS)
    join_pieces(source, target, made, upscaler or Nearest(2), encoder, SEGMENTS)
    return pieces


def pictures(path: Path) -> list[bytes]:
    with FileSource(path) as source:
        return [frame.bgr.tobytes() for frame in source]


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("closed.mp4", "libx264", KEYS),
        ("open.mkv", "libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}),
        ("hevc.mp4", "libx265", {"x265-params": "open-gop=1:keyint=12:log-level=none"}),
        ("vp9.webm", "libvpx-vp9", {"g": "12", "cpu-used": "8"}),
    ],
)
def test_pieces_give_what_one_run_in_segments_gives_bit_for_bit(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    source = make_clip(tmp_path / name, noise(150), codec=codec, options=options)
    pieces = split(source, tmp_path / "split.mp4")
    assert len(pieces) == 5
    upscale_video(source, tmp_path / "whole.mp4", Nearest(2), QUICK, SEGMENTS, quiet=True)
    assert (tmp_path / "split.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()


def test_every_frame_is_that_of_the_plain_run_where_the_codec_loses_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(100), options=KEYS, audio="aac")
    split(source, tmp_path / "split.mkv", encoder=LOSSLESS)
    upscale_video(source, tmp_path / "plain.mkv", Nearest(2), LOSSLESS, quiet=True)
    assert pictures(tmp_path / "split.mkv") == pictures(tmp_path / "plain.mkv")
    assert frame_times(tmp_path / "split.mkv") == frame_times(tmp_path / "plain.mkv")
    assert audio_packets(tmp_path / "split.mkv") == audio_packets(tmp_path / "plain.mkv")


def test_variable_frame_rates_and_chapters_come_through(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pts = [int(t) for t in np.cumsum(rng.integers(200, 3000, 120))]
    source = make_clip(tmp_path / "a.mp4", noise(120), pts=pts, options=KEYS)
    with_chapters = tmp_path / "chapters.mkv"
    with av.open(str(source)) as inside, av.open(str(with_chapters), "w") as outside:
        stream = outside.add_stream_from_template(inside.streams.video[0])
        outside.set_chapters([chapter(1, 500, 2500, "First")])
        for packet in inside.demux(inside.streams.video[0]):
            if packet.size:
                packet.stream = stream
                outside.mux(packet)
    split(with_chapters, tmp_path / "split.mp4")
    upscale_video(with_chapters, tmp_path / "whole.mp4", Nearest(2), QUICK, SEGMENTS, quiet=True)
    assert (tmp_path / "split.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    with av.open(str(tmp_path / "split.mp4")) as container:
        (found,) = container.chapters()
        assert found["metadata"] == {"title": "First"}


def test_models_of_several_frames_see_across_the_borders(
    tmp_path: Path, tiny_models: ModuleType
) -> None:
    """Those before a piece, and those behind it that they look ahead to; scenes are cut, too."""
    images = noise(140)
    for number in (30, 31, 61, 79):  # cuts at borders of pieces and beside them
        images[number:] = [255 - image for image in images[number:]]
    source = make_clip(tmp_path / "a.mp4", images, options=KEYS)
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    with Upscaler.load(path, "onnx-cpu", threads=1) as upscaler:
        assert upscaler.lookahead == 2
        assert len(split(source, tmp_path / "split.mkv", 1.0, upscaler, LOSSLESS)) == 5
        upscale_video(source, tmp_path / "plain.mkv", upscaler, LOSSLESS, quiet=True)
    assert pictures(tmp_path / "split.mkv") == pictures(tmp_path / "plain.mkv")


def test_a_piece_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(120), options=KEYS)
    pieces = plan_pieces(source, 2.0, segment_frames=10)
    assert len(pieces) == 2
    place = tmp_path / "1.mp4"
    _, whole = upscale_piece(source, pieces[1], place, Nearest(2), QUICK, SEGMENTS)
    assert whole == 60
    segments = sorted(work_path(place).glob("*.seg"))
    assert len(segments) == 6
    content = [path.read_bytes() for path in segments]
    for path in segments[2:]:
        path.unlink()
    again = Nearest(2)
    _, whole = upscale_piece(source, pieces[1], place, again, QUICK, SEGMENTS)
    assert (whole, again.calls) == (60, 40)
    assert [path.read_bytes() for path in segments] == content


def test_what_stays_whole(tmp_path: Path) -> None:
    notes: list[str] = []
    short = make_clip(tmp_path / "short.mp4", noise(29), options=KEYS)
    assert plan_pieces(short, 1.0, segment_frames=10, say=notes.append) == []
    assert notes == []
    long = noise(180)
    nowhere = "decoding cannot start in the middle"
    for name, options, interlaced, reason in (
        ("broadcast.ts", KEYS, False, nowhere),
        ("interlaced.mp4", KEYS, True, nowhere),
        ("one.mp4", {"g": "999", "sc_threshold": "0"}, False, "its key frames are too far apart"),
        ("old.avi", KEYS, False, nowhere),
    ):
        codec = "mpeg4" if name.endswith("avi") else "libx264"
        clip = make_clip(
            tmp_path / name, long, codec=codec, options=dict(options), interlaced=interlaced
        )
        assert plan_pieces(clip, 1.0, segment_frames=10, say=notes.append) == []
        assert notes.pop() == f"{name}: is not split because {reason}"
    (tmp_path / "none.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match=r"none\.mp4: cannot be read as a video"):
        plan_pieces(tmp_path / "none.mp4", 1.0)


def test_segments_that_are_gone(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(90), options=KEYS)
    pieces = plan_pieces(source, 1.0, segment_frames=10)
    places = [(piece, tmp_path / f"{piece.number}.mp4") for piece in pieces]
    with pytest.raises(InputError, match="the segments of piece 0 are gone"):
        join_pieces(source, tmp_path / "out.mp4", places, Nearest(2), QUICK, SEGMENTS)
    assert not (tmp_path / "out.mp4").exists()
