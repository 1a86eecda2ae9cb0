"""Parts of a clip, other sizes, comparisons, and runs that are interrupted and go on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import ConfigError, InputError, OutputError
from framelift.runtime.video.clip.span import Span, parse_time
from framelift.runtime.video.reading import file_source
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.reading.options import ReadOptions
from framelift.runtime.video.reading.seek import seek_point
from framelift.runtime.video.resume.segments import WorkFolder, decode_times, work_path
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, audio_packets, frame_times, make_clip, noise
from ...support.upscalers import Interrupting
from ...support.waiting import PATIENCE_S

QUICK = EncoderOptions(preset="ultrafast")
VFR = [0, 1001, 2002, 5005, 6006, 6007, 9000, 20000, 40001, 41000, 41500, 43000, 50000]


IN_SEGMENTS = ConvertOptions(resume="model", segment_frames=5, keeping_share=1e9)
"""Frames of an unfinished segment are kept however long that takes beside making them."""


def pictures(path: Path) -> list[bytes]:
    with FileSource(path) as source:
        return [frame.bgr.tobytes() for frame in source]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", Fraction(90)),
        ("1:30.5", Fraction(181, 2)),
        ("1:02:03.25", Fraction(14893, 4)),
        (".04", Fraction(1, 25)),
    ],
)
def test_times_are_exact(text: str, seconds: Fraction) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "1h", "-3", "1:2:3:4", "nan", "1e3"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a time: write seconds"):
        parse_time(text)
    for text in ("9:99", "1:60", "1:60:00"):
        with pytest.raises(ConfigError, match=f"'{text}' is not a time: seconds and minutes"):
            parse_time(text)
    for late in ("9" * 10, "9" * 30, "9" * 5000, f"0.{'0' * 5000}1"):
        with pytest.raises(ConfigError, match=r"is later than any video|is not a time"):
            parse_time(late)
    with pytest.raises(ConfigError, match="the end at 2 s is not after the start at 3 s"):
        Span(Fraction(3), Fraction(2))


def test_a_span_is_exact_to_the_frame_and_takes_its_audio_along(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(60), audio="aac")
    target = tmp_path / "out.mp4"
    span = Span(Fraction(1001 * 20, 30000), Fraction(1001 * 50, 30000))
    lossless = EncoderOptions(crf=1)
    result = upscale_video(
        source, target, Nearest(1), lossless, ConvertOptions(span=span), quiet=True
    )
    assert result.stats.frames_written == 30
    assert frame_times(target) == [Fraction(1001 * n, 30000) for n in range(30)]
    with FileSource(source) as whole, FileSource(target) as part:
        for before, after in zip(list(whole)[20:50], part, strict=True):
            # 4:2:0 twice; other frames are 30 and more away.
            assert np.abs(before.bgr.astype(int) - after.bgr).mean() < 8
    wanted = [
        (time - span.start, data)
        for time, data in audio_packets(source)
        if span.start <= time < (span.end or 0)
    ]
    copied = audio_packets(target)
    assert [data for _, data in copied] == [data for _, data in wanted]
    for (time_, _), (expected, _) in zip(copied, wanted, strict=True):
        assert abs(time_ - expected) <= Fraction(1, 40000)


@pytest.mark.parametrize(
    ("name", "codec", "options", "sought"),
    [
        ("open.mp4", "libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}, True),
        ("open.mkv", "libx264", {"x264-params": "open-gop=1:keyint=12:bframes=3"}, True),
        (
            "hevc.mp4",
            "libx265",
            {"x265-params": "open-gop=1:keyint=12:bframes=4:log-level=none"},
            True,
        ),
        ("interlaced.mp4", "libx264", {"g": "12"}, False),
    ],
)
def test_a_span_begins_at_a_key_frame_and_gives_what_decoding_all_gives(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    codec: str,
    options: dict[str, str],
    sought: bool,
) -> None:
    rng = random.Random(1)
    steps = [rng.choice([500, 1001, 1001, 2002, 6006]) for _ in range(120)]
    path = make_clip(
        tmp_path / name,
        noise(120),
        pts=[sum(steps[:n]) for n in range(120)],
        codec=codec,
        options=options,
        interlaced=name.startswith("interlaced"),
    )
    for start in (Fraction(3, 2), Fraction(4), Fraction(sum(steps[:100]), 30000)):
        with monkeypatch.context() as patch:
            made = []
            for search in (seek_point, lambda *_: None):
                found = list[int | None]()

                def note(
                    path: Path,
                    index: int,
                    start: Fraction,
                    search: Callable[..., int | None] = search,
                    found: list[int | None] = found,
                ) -> int | None:
                    found.append(search(path, index, start))
                    return found[0]

                patch.setattr(file_source, "seek_point", note)
                with FileSource(path, ReadOptions(Span(start)), say=lambda line: None) as source:
                    frames = [(f.pts, f.duration, f.bgr.tobytes()) for f in source]
                made.append((source.start_seconds, frames))
                assert (found[0] is not None) == (sought and search is seek_point)
        assert made[0] == made[1]
        assert made[0][1]


def test_a_span_behind_the_end_is_one_line(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4")
    options = ConvertOptions(span=Span(Fraction(100)))
    with pytest.raises(InputError, match=r"a.mp4: ends before 100 s"):
        upscale_video(source, tmp_path / "out.mp4", Nearest(), QUICK, options, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize(
    ("factor", "compare", "size"),
    [
        (Fraction(2), False, (128, 96)),
        (Fraction(3, 2), False, (96, 72)),
        (Fraction(1, 2), False, (32, 24)),
        (Fraction(3), False, (192, 144)),
        (None, True, (256, 96)),
        (Fraction(3, 2), True, (192, 72)),
    ],
)
def test_other_sizes_and_before_beside_after(
    tmp_path: Path, factor: Fraction | None, compare: bool, size: tuple[int, int]
) -> None:
    images = noise(4)
    source = make_clip(tmp_path / "a.mkv", images, codec="ffv1", pixel_format="bgr0")
    target = tmp_path / "out.mkv"
    options = ConvertOptions(factor=factor, compare=compare)
    lossless = EncoderOptions("ffv1")
    result = upscale_video(source, target, Nearest(2), lossless, options, quiet=True)
    assert (result.width_px, result.height_px) == size
    with FileSource(target) as made:
        for frame, image in zip(made, images, strict=True):
            assert frame.bgr.shape == (size[1], size[0], 3)
            halves = np.split(frame.bgr, 2, axis=1) if compare else [frame.bgr]
            for half in halves:
                assert abs(float(half.mean()) - float(image.mean())) < 2
            if compare and factor is None:
                np.testing.assert_array_equal(halves[1], Nearest(2)(image))


@pytest.mark.parametrize("codec", ["h264", "hevc", "ffv1"])
def test_a_resumed_run_gives_what_an_uninterrupted_one_gives(
    tmp_path: Path, written: list[int], codec: str
) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(len(VFR)), pts=VFR, audio="aac")
    suffix = ".mkv" if codec == "ffv1" else ".mp4"
    encoder = EncoderOptions(codec)
    options = IN_SEGMENTS
    whole, resumed, plain = (tmp_path / f"{n}{suffix}" for n in ("whole", "resumed", "plain"))
    upscale_video(source, whole, Nearest(2), encoder, options, quiet=True)
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(source, resumed, Interrupting(12, written), encoder, options, quiet=True)
    assert not resumed.exists()
    assert len(list(work_path(resumed).glob("*.seg"))) == 2
    upscaler, notes = Nearest(2), list[str]()
    result = upscale_video(
        source, resumed, upscaler, encoder, options, quiet=True, say=notes.append
    )
    assert "resumed" + suffix + ": continuing after 12 frames" in notes
    assert (upscaler.calls, result.frames_resumed) == (1, 12)
    assert not work_path(resumed).exists()
    assert pictures(resumed) == pictures(whole)
    assert frame_times(resumed) == frame_times(whole)
    assert audio_packets(resumed) == audio_packets(whole)
    upscale_video(source, plain, Nearest(2), encoder, quiet=True)
    assert frame_times(resumed) == frame_times(plain)
    if codec == "ffv1":
        assert pictures(resumed) == pictures(plain)


def test_damaged_segments_and_those_of_another_job_are_made_again(
    tmp_path: Path, written: list[int]
) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(20)), tmp_path / "out.mp4"
    options = IN_SEGMENTS
    with pytest.raises(InputError):
        upscale_video(source, target, Interrupting(18, written), QUICK, options, quiet=True)
    second = work_path(target) / "000001.seg"
    content = bytearray(second.read_bytes())
    content[-10] ^= 1
    second.write_bytes(content)
    upscaler, notes = Interrupting(8, written), list[str]()
    with pytest.raises(InputError):
        upscale_video(source, target, upscaler, QUICK, options, quiet=True, say=notes.append)
    assert notes == ["out.mp4: continuing after 5 frames"]
    notes.clear()
    other = replace(IN_SEGMENTS, resume="other")
    upscale_video(source, target, Nearest(), QUICK, other, quiet=True, say=notes.append)
    assert notes == ["out.mp4: the input or the settings changed; starting again"]
    assert len(frame_times(target)) == 20


def test_long_names_have_work_folders_of_their_own(tmp_path: Path, written: list[int]) -> None:
    first, second = (tmp_path / f"{124 * 'é'}{end}.mkv" for end in "ab")  # 253 bytes
    assert work_path(first) != work_path(second)
    source = make_clip(tmp_path / "a.mp4", noise(12))
    options = IN_SEGMENTS
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(source, first, Interrupting(8, written), QUICK, options, quiet=True)
    result = upscale_video(
        source, first, Nearest(2), QUICK, options, quiet=True, say=lambda line: None
    )
    assert result.frames_resumed == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", first.name]


def test_two_processes_do_not_share_a_work_folder(tmp_path: Path) -> None:
    with (
        WorkFolder(tmp_path / "out.mp4", {}),
        pytest.raises(OutputError, match="another process is making it now"),
        WorkFolder(tmp_path / "out.mp4", {}),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


def test_decode_times_over_two_hours_of_reordered_frames() -> None:
    # I P B B P B B ..., 24000/1001 frames per second.
    count = 2 * 3600 * 24 // 3 * 3
    order = [0] + [n for k in range(1, count - 2, 3) for n in (k + 2, k, k + 1)]
    presented = [1001 * n for n in order]
    decoded = decode_times(presented)
    assert decoded == sorted(set(decoded))
    assert all(dts <= pts for dts, pts in zip(decoded, presented, strict=True))
    assert decoded[1:] == [1001 * n for n in range(len(order) - 1)]
    assert decode_times([7]) == [7]
    assert decode_times([0, 50, 10, 60]) == [-10, 0, 10, 50]


RESUMING = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.clips import Nearest
from framelift.common.signals import signals_as_errors
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

class Slow(Nearest):
    def __call__(self, frame, out=None):
        time.sleep(0.02 if self.calls < 15 else 600)  # three runs do not come to the end
        return super().__call__(frame, out)

print("ready", flush=True)
with signals_as_errors():
    upscale_video(Path({source!r}), Path({target!r}), Slow(2), EncoderOptions(preset="ultrafast"),
                  ConvertOptions(resume={resume}, segment_frames=10), quiet=True)
"""


@pytest.mark.parametrize("resume", ["None", "'model'"])
def test_kill_at_random_moments_leaves_no_wrong_file(tmp_path: Path, resume: str) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(60), audio="aac"), tmp_path / "out.mp4"
    root = str(Path(__file__).parents[3])
    code = RESUMING.format(root=root, source=str(source), target=str(target), resume=resume)
    moments = random.Random(5)
    for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM):
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.05, 0.4))
            os.kill(process.pid, number)
            assert process.wait(PATIENCE_S) != 0
        assert not target.exists()
    options = ConvertOptions(resume=None if resume == "None" else "model", segment_frames=10)
    upscale_video(source, target, Nearest(2), QUICK, options, quiet=True, say=lambda line: None)
    assert len(frame_times(target)) == 60
    # What the killed runs left behind is gone as well.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "out.mp4"]
