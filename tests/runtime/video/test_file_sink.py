"""From file to file: times, pixels, shape and metadata stay as they were."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framelift.common.libraries.pyav import open_to_write
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import (
    BARS_BGR,
    Nearest,
    colour_bars,
    frame_times,
    make_clip,
    noise,
)
from ...support.converting import convert


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [(codec, suffix) for codec in ("h264", "hevc") for suffix in (".mp4", ".m4v", ".mov")]
    + [("av1", ".mp4"), ("prores", ".mov")],
)
def test_variable_frame_rate_stays_exactly(tmp_path: Path, codec: str, suffix: str) -> None:
    pts = [0, 1001, 2002, 5005, 6006, 6007, 9000, 20000, 40001]
    source = make_clip(tmp_path / "vfr.mp4", noise(len(pts)), pts=pts)
    preset = {"av1": "10", "prores": "lt"}.get(codec, "ultrafast")
    assert convert(source, tmp_path / f"out{suffix}", codec=codec, preset=preset) == []
    assert frame_times(tmp_path / f"out{suffix}") == [Fraction(p, 30000) for p in pts]


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_hevc_clips_of_one_and_two_frames_have_their_times(
    tmp_path: Path, frames: int, suffix: str
) -> None:
    """x265 gives such clips random decoding times; several runs, since some are right by chance."""
    source = make_clip(tmp_path / "short.mp4", noise(frames), pts=[0, 1001][:frames])
    for run in range(8):
        target = tmp_path / f"{run}{suffix}"
        convert(source, target, codec="hevc", preset="ultrafast")
        with av.open(str(target)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        times = [(packet.pts, packet.dts) for packet in packets]
        assert len(times) == frames
        assert all(pts == dts for pts, dts in times)


def test_the_track_lasts_until_the_last_frame_was_shown(tmp_path: Path) -> None:
    pts = [0, 1001, 2002, 5005, 6006, 9000, 20000, 40001]
    source = make_clip(tmp_path / "vfr.mp4", noise(len(pts)), pts=pts, options={"bf": "0"})
    convert(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.duration or 0) * (stream.time_base or 0) >= Fraction(40001, 30000)


def test_long_time_lines_do_not_drift(tmp_path: Path) -> None:
    # Three hours at 23.976 frames per second, two minutes between frames.
    pts = [1001 * 2880 * i for i in range(90)]
    source = make_clip(
        tmp_path / "long.mp4",
        noise(90, 32, 16),
        pts=pts,
        time_base=Fraction(1, 24000),
        rate=Fraction(24000, 1001),
    )
    convert(source, tmp_path / "out.mp4", preset="ultrafast")
    assert frame_times(tmp_path / "out.mp4") == [Fraction(p, 24000) for p in pts]


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (1, 2, 1, 1), (6, 1, 6, 6), (5, 1, 5, 6)])
def test_colour_bars_come_through_within_two_code_values(
    tmp_path: Path, colour: tuple[int, int, int, int]
) -> None:
    source = make_clip(
        tmp_path / "bars.mp4", [colour_bars()] * 3, colour=colour, options={"crf": "1"}
    )
    convert(source, tmp_path / "out.mp4", crf=4)
    with FileSource(source) as original, FileSource(tmp_path / "out.mp4") as result:
        before = [frame.bgr for frame in original][1]
        after = [frame.bgr for frame in result][1]
        written = result.facts.colour
    assert (written.matrix, written.range, written.primaries, written.transfer) == colour
    assert np.abs(after[40, 16::32].astype(int) - before[20, 8::16]).max() <= 2


def test_untagged_standard_definition_is_tagged_with_the_matrix_that_was_used(
    tmp_path: Path,
) -> None:
    # Enlarged beyond 720 lines, players would take it for BT.709.
    source = make_clip(tmp_path / "sd.mp4", [colour_bars(64, 240)] * 2, options={"crf": "1"})
    convert(source, tmp_path / "out.mp4", scale=4, preset="ultrafast", crf=4)
    with FileSource(tmp_path / "out.mp4") as result:
        assert result.facts.colour.matrix == 6
        image = next(iter(result)).bgr
    # Twice encoded, so twice the error of one conversion; the wrong matrix would be 20 off.
    assert np.abs(image[400, 16::32].astype(int) - np.array(BARS_BGR)).max() <= 4


def test_lossless_frames_are_kept_bit_for_bit(tmp_path: Path) -> None:
    images = noise(5)
    source = make_clip(tmp_path / "a.mkv", images, codec="ffv1", pixel_format="bgr0")
    convert(source, tmp_path / "out.mkv", codec="ffv1")
    with FileSource(tmp_path / "out.mkv") as result:
        for frame, image in zip(result, images, strict=True):
            np.testing.assert_array_equal(frame.bgr, Nearest(2)(image))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_shape_rotation_and_metadata_are_carried(tmp_path: Path, suffix: str) -> None:
    turn = [0, 65536, 0, -65536, 0, 0, 48 * 65536, 0, 1 << 30]
    source = make_clip(
        tmp_path / "a.mp4",
        sample_aspect_ratio=Fraction(4, 3),
        display_matrix=turn,
        metadata={"title": "A title", "comment": "Say no more"},
    )
    target = tmp_path / f"out{suffix}"
    convert(source, target)
    with FileSource(target) as result:
        facts = result.facts
        assert next(iter(av.open(str(target)).decode(video=0))).rotation == -90
    assert facts.sample_aspect_ratio == Fraction(4, 3)
    metadata = {key.lower(): value for key, value in facts.metadata.items()}
    assert (metadata["title"], metadata["comment"]) == ("A title", "Say no more")
    if suffix != ".mkv":  # Matroska has an angle only
        assert facts.display_matrix == (*turn[:6], 2 * 48 * 65536, 0, 1 << 30)


def test_odd_sizes_are_padded_where_they_must_be(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "odd.mkv", noise(3, 33, 21), codec="ffv1", pixel_format="yuv444p")
    (chroma,) = convert(source, tmp_path / "even.mp4", scale=2)
    assert chroma == (
        "odd.mkv: 4:4:4 is reduced to 4:2:0, which players of .mp4 know; --pixel-format same keeps "
        "more"
    )
    again, note = convert(source, tmp_path / "odd.mp4", scale=1)
    assert again == chroma
    assert "33×21 is padded to 34×22" in note
    with FileSource(tmp_path / "odd.mp4") as result:
        assert (result.facts.width_px, result.facts.height_px) == (34, 22)


def test_matroska_says_that_it_rounds_times(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    (note,) = convert(source, tmp_path / "out.mkv")
    assert "keeps times in whole milliseconds" in note


def test_playback_can_start_at_once(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    convert(source, tmp_path / "out.mp4")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("codec", "suffix"), [("av1", ".mp4"), ("prores", ".mov")])
def test_colours_of_the_other_codecs(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_clip(
        tmp_path / "bars.mp4", [colour_bars()] * 3, colour=(1, 1, 1, 1), options={"crf": "1"}
    )
    convert(source, tmp_path / f"out{suffix}", codec=codec)
    with FileSource(source) as original, FileSource(tmp_path / f"out{suffix}") as result:
        before = [frame.bgr for frame in original][1]
        after = [frame.bgr for frame in result][1]
        colour = result.facts.colour
    assert (colour.matrix, colour.range, colour.primaries, colour.transfer) == (1, 1, 1, 1)
    assert np.abs(after[40, 16::32].astype(int) - before[20, 8::16]).max() <= 2


@pytest.mark.parametrize("resume", [None, "model"])
@pytest.mark.parametrize("codec", ["h264", "av1", "prores", "ffv1"])
def test_matroska_states_the_shape_of_pixels(
    tmp_path: Path, codec: str, resume: str | None
) -> None:
    # That of the container: in the stream, AV1, ProRes and FFV1 say nothing that players read.
    for aspect, width in ((Fraction(4, 3), 50), (Fraction(10, 11), 352)):
        source = make_clip(
            tmp_path / f"{width}.mp4", noise(3, width, 48), sample_aspect_ratio=aspect
        )
        target = tmp_path / f"out{width}.mkv"
        upscale_video(
            source,
            target,
            Nearest(2),
            EncoderOptions(codec, preset={"av1": "12"}.get(codec)),
            ConvertOptions(resume=resume),
            quiet=True,
            say=lambda _: None,
        )
        with av.open(str(target)) as container:
            stream = container.streams.video[0]
            assert stream.sample_aspect_ratio == aspect
            assert stream.metadata.keys().isdisjoint({"stereo_mode", "STEREO_MODE"})
            side_data = next(container.decode(stream)).side_data
            assert "STEREO3D" not in side_data


def test_a_pause_among_reordered_frames_does_not_freeze_the_end(tmp_path: Path) -> None:
    pts = [512 * i + (25600 if i >= 9 else 0) for i in range(25)]
    source = make_clip(
        tmp_path / "pause.mp4",
        noise(25),
        pts=pts,
        time_base=Fraction(1, 12800),
        rate=Fraction(25),
        options={"bf": "3", "b-adapt": "0"},
    )
    for name, resume in (("out.mp4", None), ("resumed.mp4", "model"), ("out.mkv", None)):
        options = ConvertOptions(resume=resume, segment_frames=10)
        target = tmp_path / name
        upscale_video(source, target, Nearest(1), None, options, quiet=True, say=lambda _: None)
        assert frame_times(target) == pytest.approx([p / 12800 for p in pts], abs=6e-4)
        with av.open(str(target)) as container:
            assert (container.duration or 0) / av.time_base == pytest.approx(3.0, abs=0.01)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("resume", [None, "model"])
def test_tags_that_are_not_utf8_keep_their_bytes(
    tmp_path: Path, suffix: str, resume: str | None
) -> None:
    """As old programs wrote them; `ffmpeg -codec copy` keeps them, too."""
    title, artist = b"Caf\xe9 \x82", "Jürgen".encode()
    source, target = tmp_path / "a.avi", tmp_path / f"out{suffix}"
    with open_to_write(str(source)) as container:
        stream = container.add_stream("mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for key, value in (("title", title), ("artist", artist)):
            container.metadata[key] = value.decode("utf-8", "surrogateescape")
        for image in noise(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    encoder, options = EncoderOptions(preset="ultrafast"), ConvertOptions(resume=resume)
    upscale_video(source, target, Nearest(2), encoder, options, quiet=True)
    assert title in target.read_bytes()
    assert artist in target.read_bytes()
