"""From file to file: everything but the size stays as it was."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
import textwrap
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.stream import Disposition

from framelift.common.errors import ConfigError, MissingDependencyError, OutputError
from framelift.runtime.video import Audio, ConvertOptions, EncoderOptions, FileSource, upscale_video
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.writing import encoders
from framelift.runtime.video.writing.encoders import ENCODERS

from ...support.clips import (
    BARS_BGR,
    Nearest,
    audio_packets,
    colour_bars,
    frame_times,
    make_clip,
    noise,
)

if TYPE_CHECKING:
    from av.container.core import Chapter


_TASKS = Path("/proc/self/task")


def convert(source: Path, target: Path, *, scale: int = 2, **options: str | int) -> list[str]:
    notes: list[str] = []
    encoder = EncoderOptions(**options)  # type: ignore[arg-type]
    upscale_video(source, target, Nearest(scale), encoder, quiet=True, say=notes.append)
    return notes


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


def _policies() -> set[int]:
    """How the threads of this process are scheduled."""
    policies = set[int]()
    for task in _TASKS.iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has ended since
            policies.add(os.sched_getscheduler(int(task.name)))
    return policies


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="Linux lists the threads")
@pytest.mark.parametrize("resume", [None, "the model"])
def test_no_encoder_makes_threads_real_time(tmp_path: Path, resume: str | None) -> None:
    """SVT-AV1 does where it may, as root may: then the network gets no time."""
    seen: set[int] = set()

    class Watching(Nearest):
        def __call__(self, frame: Image, out: Image | None = None) -> Image:
            seen.update(_policies())
            return super().__call__(frame, out)

    before = _policies()
    source = make_clip(tmp_path / "in.mp4", noise(40))
    encoder = EncoderOptions("av1", preset="12")
    options = ConvertOptions(resume=resume, segment_frames=10)
    upscale_video(source, tmp_path / "out.mp4", Watching(2), encoder, options, quiet=True)
    assert seen == before


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


def test_what_an_encoder_cannot_do_is_said_with_another_way(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(3, 2, 2), codec="ffv1", pixel_format="bgr0")
    with pytest.raises(OutputError, match=r"av1 cannot encode 2×2 at .* name another --codec"):
        convert(source, tmp_path / "out.mp4", scale=1, codec="av1")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "vp8"}, "unknown codec 'vp8'; known are h264, hevc, av1, vp9, prores, ffv1"),
        ({"crf": 52}, "CRF 52 is outside 0"),
        ({"codec": "av1", "crf": 64}, "CRF 64 is outside 0"),
        ({"codec": "ffv1", "crf": 10}, "ffv1 is lossless"),
        ({"codec": "prores", "crf": 10}, "prores has a quality by preset only"),
        ({"codec": "prores", "preset": "fast"}, "known are: proxy, lt, standard, hq"),
        ({"preset": "quick"}, "has no preset 'quick'; known are: ultrafast"),
    ],
)
def test_senseless_options_are_refused(options: dict[str, str | int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EncoderOptions(**options)  # type: ignore[arg-type]


def test_suffixes_are_refused_by_name(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    for name, codec in (("out.avi", "h264"), ("out", "h264"), ("out.mp4", "ffv1")):
        with pytest.raises(OutputError, match=r"cannot be written to .*use .*mkv"):
            convert(source, tmp_path / name, codec=codec)


def test_every_encoder_is_in_the_build() -> None:
    for name, encoder in ENCODERS.items():
        assert encoder.library in av.codecs_available
        if not encoder.is_hardware:
            EncoderOptions(name).check_available()


def test_a_hardware_encoder_without_its_hardware_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert encoders.hardware_works("libx264")
    assert not encoders.hardware_works("none")
    monkeypatch.setattr(encoders, "hardware_works", lambda library: False)
    with pytest.raises(MissingDependencyError, match=r"hevc-nvenc needs an NVIDIA.*--codec hevc$"):
        EncoderOptions("hevc-nvenc").check_available()


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


@pytest.mark.parametrize(
    ("codec", "suffix", "decoded"),
    [
        ("h264", ".mp4", "yuv420p"),
        ("hevc", ".mp4", "yuv420p"),
        ("av1", ".mp4", "yuv420p"),
        ("prores", ".mov", "yuv422p10le"),
        ("ffv1", ".mkv", "bgr0"),
    ],
)
def test_the_file_has_the_depth_that_its_encoder_states(
    tmp_path: Path, codec: str, suffix: str, decoded: str
) -> None:
    assert EncoderOptions(codec).encoder.pixel_format == decoded
    source = make_clip(tmp_path / "a.mp4", noise(3))
    convert(source, tmp_path / f"out{suffix}", codec=codec)
    with av.open(tmp_path / f"out{suffix}") as container:
        assert [frame.format.name for frame in container.decode(video=0)] == [decoded] * 3


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(40))
    code = textwrap.dedent(
        f"""
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(Path(__file__).parents[3])!r})
        from tests.support.clips import Nearest
        from framelift.common.errors import OutputError
        from framelift.runtime.video import upscale_video
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, {resource.RLIM_INFINITY}))
        try:
            upscale_video(Path({str(source)!r}), Path({str(tmp_path / "out.mp4")!r}), Nearest(4),
                          quiet=True)
        except OutputError as error:
            print(error)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.count("\n") == 1
    assert "out.mp4: the file became larger than this system allows" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


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
        milliseconds = Fraction(1, 1000)
        one: Chapter = {
            "id": 1,
            "start": 0,
            "end": 400,
            "time_base": milliseconds,
            "metadata": {"title": "one"},
        }
        two: Chapter = {
            "id": 2,
            "start": 400,
            "end": 900,
            "time_base": milliseconds,
            "metadata": {"title": "2"},
        }
        container.set_chapters([one, two])
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


@pytest.mark.parametrize("resume", [None, "model"])
def test_pictures_that_hevc_has_no_room_for_are_refused(tmp_path: Path, resume: str | None) -> None:
    for width, height in ((62, 64), (64, 62), (16, 16)):
        source = make_clip(tmp_path / f"{width}x{height}.mp4", noise(3, width, height))
        with pytest.raises(OutputError, match=f"hevc cannot encode {width}×{height}, each side"):
            upscale_video(
                source,
                tmp_path / "out.mp4",
                Nearest(1),
                EncoderOptions("hevc"),
                ConvertOptions(resume=resume),
                quiet=True,
                say=lambda _: None,
            )
        assert not (tmp_path / "out.mp4").exists()
