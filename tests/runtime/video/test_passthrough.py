"""From file to file: sound, subtitles, fonts, chapters and covers."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from framelift.common.errors import OutputError
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.carried import Audio
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import (
    Nearest,
    audio_packets,
    chapter,
    make_clip,
    noise,
)
from ...support.converting import convert


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_audio_is_copied_packet_by_packet(tmp_path: Path, suffix: str) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(30), audio="aac")
    convert(source, tmp_path / f"out{suffix}")
    before, after = audio_packets(source), audio_packets(tmp_path / f"out{suffix}")
    assert [data for _, data in before] == [data for _, data in after]
    tolerance = Fraction(1, 1000) if suffix == ".mkv" else 0
    for (old, _), (new, _) in zip(before, after, strict=True):
        assert abs(old - new) <= tolerance


def test_audio_that_the_container_cannot_hold_is_refused_at_once(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", audio="tta")
    upscaler = Nearest()
    copy = ConvertOptions(audio=Audio.COPY)
    with pytest.raises(OutputError, match=r"cannot hold the audio \(tta\).*write to \.mkv"):
        upscale_video(source, tmp_path / "out.mp4", upscaler, None, copy, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]
    convert(source, tmp_path / "out.mkv")
    assert audio_packets(tmp_path / "out.mkv") == audio_packets(source)
    result = upscale_video(
        source,
        tmp_path / "silent.mp4",
        upscaler,
        None,
        ConvertOptions(audio=Audio.NONE),
        quiet=True,
    )
    assert result.copied == []


@pytest.mark.parametrize(("codec", "suffix"), [("libopus", ".mov"), ("pcm_s16le", ".mp4")])
def test_audio_that_only_the_whole_file_refuses_is_refused_at_once(
    tmp_path: Path, codec: str, suffix: str
) -> None:
    source, upscaler = make_clip(tmp_path / "a.mkv", audio=codec), Nearest()
    copy = ConvertOptions(audio=Audio.COPY)
    with pytest.raises(OutputError, match=rf"{suffix} cannot hold the audio .*or --audio none"):
        upscale_video(source, tmp_path / f"out{suffix}", upscaler, None, copy, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_an_attached_font_is_left_out_of_mp4_with_a_note(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        picture = container.add_stream("mjpeg", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
        container.add_attachment("a.ttf", "application/x-truetype-font", b"font")
        for number in range(5):
            frame = av.VideoFrame.from_ndarray(noise(1)[0], format="bgr24")
            frame.pts = number
            container.mux(picture.encode(frame.reformat(format="yuvj420p")))
        container.mux(picture.encode(None))
    notes = convert(source, tmp_path / "out.mp4")
    assert notes == ["a.mkv: an attached file is left out, .mp4 cannot hold it"]
    assert convert(source, tmp_path / "out.mkv") == []
    with av.open(str(tmp_path / "out.mkv")) as result:
        assert [stream.type for stream in result.streams] == ["video", "attachment"]


def test_subtitles_and_all_audio_of_a_real_clip(tmp_path: Path, shared: Path) -> None:
    source = shared / "data/video/nasa_13013.mp4"
    notes: list[str] = []
    result = upscale_video(
        source,
        tmp_path / "out.mp4",
        Nearest(1),
        EncoderOptions(preset="ultrafast"),
        quiet=True,
        say=notes.append,
    )
    assert result.copied == ["audio (aac)", "subtitle (mov_text)"] * 2
    assert result.stats.frames_written == 390
    assert len(notes) == 1
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [stream.type for stream in container.streams] == [
            "video",
            "audio",
            "subtitle",
            "audio",
            "subtitle",
        ]
    assert audio_packets(tmp_path / "out.mp4") == audio_packets(source)


def add_chapters_and_cover(source: Path, target: Path) -> None:
    with av.open(str(source)) as original, av.open(str(target), "w") as container:
        copies = {
            stream.index: container.add_stream_from_template(stream, opaque=True)
            for stream in original.streams
        }
        cover = container.add_stream("mjpeg", rate=1)
        assert isinstance(cover, av.VideoStream)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        container.set_chapters([chapter(1, 0, 400, "one"), chapter(2, 400, 900, "2")])
        black = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="bgr24")
        for packet in cover.encode(black.reformat(format="yuvj420p")):
            packet.pts = packet.dts = 0
            container.mux(packet)
        for packet in original.demux():
            if packet.size:
                packet.stream = copies[packet.stream.index]
                container.mux(packet)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_chapters_and_cover_are_copied(tmp_path: Path, suffix: str) -> None:
    plain = make_clip(tmp_path / "plain.mp4", noise(30), audio="aac")
    source = tmp_path / "a.mp4"
    add_chapters_and_cover(plain, source)
    notes = convert(source, tmp_path / f"out{suffix}")
    assert any("the cover picture is left out" in note for note in notes) == (suffix == ".mkv")
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        chapters = container.chapters()
        dispositions = [stream.disposition for stream in container.streams]
    assert [(c["start"] * (c["time_base"] or 0), c["metadata"]["title"]) for c in chapters] == [
        (0, "one"),
        (Fraction(2, 5), "2"),
    ]
    assert dispositions[:2] == [Disposition.default, Disposition.default]
    assert (Disposition.attached_pic in dispositions) == (suffix == ".mp4")
    with FileSource(source) as before, FileSource(tmp_path / f"out{suffix}") as after:
        assert len(list(before)) == len(list(after)) == 30
