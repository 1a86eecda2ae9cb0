"""Corners of time: what begins late, what ends late, clips of a frame or two."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path
from shutil import which

import av
import numpy as np
import pytest

from framelift.common.errors import InputError
from framelift.common.notes import silent
from framelift.runtime.video.clip.span import Span
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video

from ...support.clips import Nearest, audio_packets, chapter, frame_times, make_clip, noise
from ...support.converting import convert

MILLI = Fraction(1, 1000)
LATE_SECONDS = Fraction(1, 2)


def with_late_sound(folder: Path, suffix: str) -> Path:
    """A clip whose sound begins half a second after its picture."""
    plain, late = make_clip(folder / f"plain{suffix}", noise(30), audio="aac"), f"late{suffix}"
    with av.open(str(plain)) as source, av.open(str(folder / late), "w") as target:
        copies = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if packet.stream.type == "audio":
                packet.pts += round(LATE_SECONDS / packet.time_base)
                packet.dts += round(LATE_SECONDS / packet.time_base)
            packet.stream = copies[packet.stream.index]
            target.mux(packet)
    return folder / late


def film(container: av.container.OutputContainer, codec: str, frames: int, **options: str) -> None:
    """Write noise of 64×48 pixels at 25 frames per second."""
    stream = container.add_stream(codec, rate=25, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    for image in noise(frames):
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
    container.mux(stream.encode(None))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
@pytest.mark.parametrize("target", [".mp4", ".mov", ".mkv"])
def test_sound_that_begins_late_keeps_its_times(tmp_path: Path, suffix: str, target: str) -> None:
    source = with_late_sound(tmp_path, suffix)
    convert(source, tmp_path / f"out{target}")
    before, after = audio_packets(source), audio_packets(tmp_path / f"out{target}")
    assert [data for _, data in after] == [data for _, data in before]
    assert [float(time) for time, _ in after] == pytest.approx(
        [float(t) for t, _ in before], abs=1e-3
    )


@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_the_last_frame_of_a_clip_that_begins_late_lasts_as_before(
    tmp_path: Path, target: str
) -> None:
    # One frame in ten seconds: too few for libav to find out when the track begins.
    pts = [30000 * (3600 + 10 * index) for index in range(8)]
    source = make_clip(tmp_path / "late.mkv", noise(8), pts=pts, rate=Fraction(1, 10))
    convert(source, out := tmp_path / f"out{target}")
    with av.open(str(out)) as container:
        *_, last = container.decode(video=0)
        assert last.time_base is not None
        assert last.duration * last.time_base == 10
        assert container.duration == pytest.approx(1e6 * (80 if target == ".mp4" else 3680))


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_chapters_that_last_longer_than_the_film_are_no_missing_end(
    tmp_path: Path, suffix: str
) -> None:
    source = tmp_path / f"a{suffix}"
    with av.open(str(source), "w") as container:
        container.set_chapters([chapter(0, 0, 500, "a"), chapter(1, 500, 900, "b")])
        film(container, "mpeg4", 3)
    convert(source, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)


@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_the_last_frame_does_not_last_as_long_as_the_sound(tmp_path: Path, target: str) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        container.mux(stream.encode(av.VideoFrame.from_ndarray(noise(1)[0], format="bgr24")))
        container.mux(stream.encode(None))
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 96000), np.int16), "s16", "mono")
        samples.sample_rate = 48000
        container.mux(sound.encode(samples))
    convert(source, out := tmp_path / f"out{target}")
    with av.open(str(out)) as container:
        (frame,) = container.decode(video=0)
        assert frame.time_base is not None
        assert float(frame.duration * frame.time_base) == pytest.approx(1 / 25, abs=1e-3)
        assert container.duration == pytest.approx(2e6, abs=2e4)


@pytest.mark.parametrize("lost_bytes", [0, 300])
def test_sound_of_an_avi_that_begins_late_is_no_missing_end(
    tmp_path: Path, lost_bytes: int
) -> None:
    source = tmp_path / "a.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("libmp3lame", rate=48000, layout="mono")
        for image in noise(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode(None))
        for number in range(40):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), "s16p", "mono")
            samples.sample_rate, samples.pts = 48000, 48000 + 1152 * number
            container.mux(sound.encode(samples))
        container.mux(sound.encode(None))
    source.write_bytes(source.read_bytes()[: source.stat().st_size - lost_bytes])
    if lost_bytes:
        with pytest.raises(InputError, match="the file is cut short"):
            convert(source, tmp_path / "out.mp4")
        return
    convert(source, out := tmp_path / "out.mp4")
    assert frame_times(out) == frame_times(source)
    assert [data for _, data in audio_packets(out)] == [data for _, data in audio_packets(source)]


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"x264-params": "b-adapt=0:bframes=2"}),
        ("libx264", {"bf": "0"}),
        ("mpeg4", {"bf": "2"}),
    ],
)
def test_frames_of_files_without_times_of_display_come_evenly_from_the_start(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    source = tmp_path / "a.avi"
    with av.open(str(source), "w") as container:
        film(container, codec, 20, **options)
    assert convert(source, out := tmp_path / "out.mp4") == []
    expected = [index / 25 for index in range(20)]
    assert [float(time) for time in frame_times(out)] == pytest.approx(expected, abs=1e-3)


def test_frames_of_mxf_come_evenly_from_the_start(tmp_path: Path) -> None:
    source = tmp_path / "a.mxf"
    with av.open(str(source), "w") as container:
        film(container, "libx264", 20, **{"x264-params": "b-adapt=0:bframes=2"})
    assert convert(source, out := tmp_path / "out.mp4") == []
    expected = [index / 25 for index in range(20)]
    assert [float(time) for time in frame_times(out)] == pytest.approx(expected, abs=1e-3)


def nothing_coded(index: int) -> bytes:
    """A picture of MPEG-4, of the first second at 25 fps, that says that nothing changed."""
    predicted, time, not_coded, stuffing = "01", f"01{index:05b}1", "0", "01111"
    bits = predicted + time + not_coded + stuffing
    return b"\x00\x00\x01\xb6" + int(bits, 2).to_bytes(2, "big")


def test_packets_of_avi_that_give_no_frame_move_no_other_frame(tmp_path: Path) -> None:
    source = tmp_path / "a.avi"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"bf": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(image, format="bgr24") for image in noise(24)]
        for index, packet in enumerate(p for one in (*pictures, None) for p in stream.encode(one)):
            if index in (7, 8, 20):
                empty = av.Packet(nothing_coded(index))
                empty.pts, empty.dts = packet.pts, packet.dts
                empty.time_base, empty.stream = packet.time_base, stream
                packet = empty
            container.mux(packet)
    shown = [index / 25 for index in range(24) if index not in (7, 8, 20)]
    with av.open(str(source)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(shown)
    convert(source, out := tmp_path / "out.mp4")
    assert [float(time) for time in frame_times(out)] == pytest.approx(shown, abs=1e-3)


@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4"])
def test_small_pictures_that_stay_the_same_keep_their_times(tmp_path: Path, suffix: str) -> None:
    # Their packets are as short as those that give no frame.
    source = make_clip(
        tmp_path / f"a{suffix}",
        noise(1, 32, 32) * 20,
        pts=list(range(20)),
        time_base=Fraction(1, 25),
        rate=Fraction(25),
        codec="mpeg4",
        options={"bf": "0"},
    )
    with av.open(str(source)) as container:
        assert min(packet.size for packet in container.demux() if packet.size) <= 16
    assert convert(source, out := tmp_path / "out.mp4") == []
    expected = [index / 25 for index in range(20)]
    assert [float(time) for time in frame_times(out)] == pytest.approx(expected, abs=1e-3)


needs_ffmpeg = pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg")


def ffmpeg(*options: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", *options], check=True)


@needs_ffmpeg
@pytest.mark.parametrize("lost_bytes", [0, 60000])
def test_gxf_is_read_and_its_end_missed(tmp_path: Path, lost_bytes: int) -> None:
    source, out = tmp_path / "a.gxf", tmp_path / "out.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=720x576:r=25:d=0.4")
    ffmpeg(
        *picture,
        "-f",
        "lavfi",
        "-i",
        "sine=r=48000:d=0.4",
        "-c:v",
        "mpeg2video",
        "-bf",
        "2",
        source,
    )
    if lost_bytes:
        source.write_bytes(source.read_bytes()[:-lost_bytes])
        with pytest.raises(InputError, match="cut short"):
            convert(source, out, scale=1)
        return
    convert(source, out, scale=1)
    expected = [index / 25 for index in range(10)]
    assert [float(time) for time in frame_times(out)] == pytest.approx(expected, abs=1e-3)


@needs_ffmpeg
@pytest.mark.parametrize("bframes", ["0", "1", "3"])
def test_frames_of_asf_come_evenly_with_their_sound(tmp_path: Path, bframes: str) -> None:
    source, out = tmp_path / "a.asf", tmp_path / "out.mp4"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
    sound = ("-f", "lavfi", "-i", "sine=d=1", "-c:a", "libmp3lame")
    coding = ("-c:v", "libx264", "-x264-params", f"b-adapt=0:bframes={bframes}")
    ffmpeg(*picture, *sound, *coding, source)
    assert convert(source, out) == []
    times, begin = [float(time) for time in frame_times(out)], float(audio_packets(out)[0][0])
    assert times == pytest.approx([times[0] + index / 25 for index in range(25)], abs=1.1e-3)
    # The encoder of the sound begins some 25 ms before it.
    assert begin == pytest.approx(times[0], abs=0.03)


@needs_ffmpeg
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
def test_frames_before_zero_are_kept_with_their_sound(tmp_path: Path, target: str) -> None:
    source = tmp_path / "early.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4")
    sound = ("-itsoffset", "0.3", "-f", "lavfi", "-i", "sine=d=0.2")
    early = ("-output_ts_offset", "-0.2", "-avoid_negative_ts", "disabled")
    ffmpeg(*picture, *sound, "-c:v", "mjpeg", "-c:a", "ac3", *early, source)
    assert frame_times(source)[0] == Fraction(-1, 5)
    convert(source, out := tmp_path / f"out{target}")
    expected = [index / 25 for index in range(10)]
    assert [float(time) for time in frame_times(out)] == pytest.approx(expected, abs=1e-3)
    moved = [time - audio_packets(source)[0][0] for time, _ in audio_packets(out)[:1]]
    assert [float(time) for time in moved] == pytest.approx([0.2], abs=1e-3)


@needs_ffmpeg
def test_sound_that_is_decoded_moves_with_frames_before_zero(tmp_path: Path) -> None:
    source = tmp_path / "early.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
    sound = ("-itsoffset", "0.5", "-f", "lavfi", "-i", "sine=d=0.5")
    early = ("-output_ts_offset", "-0.4", "-avoid_negative_ts", "disabled")
    ffmpeg(*picture, *sound, "-c:v", "mjpeg", "-c:a", "pcm_s16le", *early, source)
    heard: list[float] = []
    with FileSource(source) as opened:
        (stream,) = opened.container.streams.audio
        opened.listen(stream, lambda frame, seconds: heard.append(seconds))
        times = [float(frame.pts_seconds) for frame in opened]
    assert times[0] == 0
    assert heard[0] == pytest.approx(0.5, abs=2e-3)


@needs_ffmpeg
def test_a_stated_length_of_before_a_cut_is_not_believed(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2")
    ffmpeg(*picture, "-c:v", "mjpeg", "-write_crc32", "0", source)
    data = source.read_bytes()
    assert data.count(b"00:00:02.000000000") == 1
    source.write_bytes(data.replace(b"00:00:02.000000000", b"01:00:00.000000000"))
    convert(source, out := tmp_path / "out.mp4")
    with av.open(str(out)) as container:
        assert container.duration == pytest.approx(2e6, abs=2e4)


def test_frames_of_one_time_are_told_apart_in_matroska(tmp_path: Path) -> None:
    source, out = tmp_path / "a.ts", tmp_path / "out.mkv"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pictures = [av.VideoFrame.from_ndarray(image, format="bgr24") for image in noise(6)]
        packets = [packet for one in (*pictures, None) for packet in stream.encode(one)]
        for index, packet in enumerate(packets):
            assert packet.pts is not None
            packet.pts -= index % 2  # every second one has the time of the one before
            container.mux(packet)
    assert any("3 frames" in note and "moved behind it" in note for note in convert(source, out))
    times = frame_times(out)
    assert len(times) == len(set(times)) == 6


def test_no_chapter_ends_after_the_film(tmp_path: Path) -> None:
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as container:
        container.set_chapters([chapter(1, 0, 100, "a"), chapter(2, 100, 900, "b")])
        film(container, "libx264", 5)
    convert(source, out := tmp_path / "out.mp4")
    with av.open(str(out)) as container:
        assert [one["metadata"]["title"] for one in container.chapters()] == ["a", "b"]
        assert container.duration == pytest.approx(200000, abs=2000)


@needs_ffmpeg
def test_sound_before_zero_moves_no_picture(tmp_path: Path) -> None:
    # libav takes the beginning of the sound for that of the picture, too.
    source = tmp_path / "a.webm"
    picture = ("-itsoffset", "0.4", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=60:d=0.1")
    sound = ("-f", "lavfi", "-i", "sine=r=48000:d=0.6")
    fast = ("-cpu-used", "8", "-usage", "realtime")
    codecs = ("-c:v", "libaom-av1", *fast, "-c:a", "libopus")
    early = ("-output_ts_offset", "-0.4", "-avoid_negative_ts", "disabled")
    ffmpeg(*picture, *sound, *codecs, "-fps_mode", "passthrough", *early, source)
    assert audio_packets(source)[0][0] < -0.3
    convert(source, out := tmp_path / "out.mkv")
    assert frame_times(out) == frame_times(source)
    assert audio_packets(out) == audio_packets(source)


@needs_ffmpeg
def test_chapters_end_with_a_matroska_film_that_begins_late(tmp_path: Path) -> None:
    chapters, source, out = tmp_path / "chapters", tmp_path / "a.mkv", tmp_path / "out.mkv"
    chapters.write_text(";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=4900\ntitle=a\n")
    film = ("-itsoffset", "1", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-i", chapters)
    ffmpeg(*film, "-map", "0:v", "-c:v", "mpeg4", source)
    convert(source, out)
    with av.open(str(out)) as container:
        (found,) = container.chapters()
        assert float(found["end"] * (found["time_base"] or 0)) == pytest.approx(3, abs=0.05)


@needs_ffmpeg
@pytest.mark.parametrize("cover", [False, True])
def test_chapters_after_the_film_end_with_it_and_are_no_missing_end(
    tmp_path: Path, cover: bool
) -> None:
    chapters, source, out = tmp_path / "chapters", tmp_path / "a.mp4", tmp_path / "out.mp4"
    times = ((0, 1000), (1000, 2900))
    form = "[CHAPTER]\nTIMEBASE=1/1000\nSTART={}\nEND={}\ntitle=a\n"
    chapters.write_text(";FFMETADATA1\n" + "".join(form.format(*pair) for pair in times))
    film = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-i", chapters)
    picture = ("-f", "lavfi", "-i", "color=s=32x32:d=0.04")
    covered = ("-map", "2:v", "-c:v:1", "mjpeg", "-disposition:v:1", "attached_pic")
    extra = (picture, covered) if cover else ((), ())
    ffmpeg(*film, *extra[0], "-map", "0:v", "-c:v:0", "mpeg4", *extra[1], source)
    convert(source, out)
    assert frame_times(out) == frame_times(source)
    with av.open(str(out)) as container:
        ends = [one["end"] * (one["time_base"] or 0) for one in container.chapters()]
        assert len(container.streams.video) == (2 if cover else 1)
    assert ends == [1, 2]


@needs_ffmpeg
@pytest.mark.parametrize("target", [".mp4", ".mkv"])
@pytest.mark.parametrize("segments", [False, True])
def test_an_end_alone_keeps_the_beginning_as_it_is(
    tmp_path: Path, target: str, segments: bool
) -> None:
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1")
    sound = ("-itsoffset", "-0.1", "-f", "lavfi", "-i", "sine=d=1")
    moved = ("-output_ts_offset", "{}", "-avoid_negative_ts", "disabled")
    for begins, frames in (("-0.2", 17), ("0.2", 7)):
        source, out = tmp_path / "moved.mkv", tmp_path / f"{frames}{target}"
        where = [word.format(begins) for word in moved]
        ffmpeg("-y", *picture, *sound, "-c:v", "mjpeg", "-c:a", "ac3", *where, source)
        options = ConvertOptions(span=Span(end=Fraction("0.48")), resume="a" if segments else None)
        upscale_video(source, out, Nearest(), None, options, quiet=True, say=silent)
        shift = max(Fraction(0), -frame_times(source)[0])
        expected = [time + shift for time in frame_times(source)[:frames]]
        assert [float(t) for t in frame_times(out)] == pytest.approx([float(t) for t in expected])
        heard = [(time + shift, data) for time, data in audio_packets(source)]
        heard = [one for one in heard if one[0] < Fraction("0.48") + shift]
        assert [data for _, data in audio_packets(out)] == [data for _, data in heard]
        assert [float(time) for time, _ in audio_packets(out)] == pytest.approx(
            [float(time) for time, _ in heard], abs=2e-3
        )


def test_sound_of_an_avi_is_cut_to_the_sample(tmp_path: Path) -> None:
    rate = Fraction(120)
    source = make_clip(
        tmp_path / "a.avi",
        noise(30),
        pts=list(range(30)),
        time_base=1 / rate,
        rate=rate,
        codec="mjpeg",
        pixel_format="yuvj420p",
        audio="libmp3lame",
    )
    start = Fraction(1, 10)  # 4.17 packets of sound
    options = ConvertOptions(span=Span(start))
    upscale_video(source, out := tmp_path / "out.mp4", Nearest(), None, options, quiet=True)
    heard = [(time - start, data) for time, data in audio_packets(source) if time >= start]
    assert len(heard) > 3
    assert [data for _, data in audio_packets(out)] == [data for _, data in heard]
    assert [float(time) for time, _ in audio_packets(out)] == pytest.approx(
        [float(time) for time, _ in heard], abs=1e-4
    )
