"""WebM holds AV1 or VP9, Opus and WebVTT; FFmpeg's own tools say what was written."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pytest

from framelift.common.errors import ConfigError, OutputError
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.carried import Audio
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, make_clip, noise
from ...support.probing import times
from ...support.upscalers import DeepNearest

SRT = "1\n00:00:00,200 --> 00:00:01,000\nHello\n\n2\n00:00:00,900 --> 00:00:01,500\nSecond\n"

pytestmark = pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg and ffprobe")


def film(folder: Path, *options: str) -> Path:
    """Two seconds of Matroska with clicks at 0.5 and 1.5 s, in six channels, and text."""
    (folder / "text.srt").write_text(SRT)
    click = "'0.5*(between(t,0.5,0.51)+between(t,1.5,1.51))*sin(4000*t)'"
    sound = "|".join([click] * 6)
    source = folder / "a.mkv"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2"]
    command += ["-f", "lavfi", "-i", f"aevalsrc={sound}:c=5.1:s=44100:d=2"]
    command += ["-i", str(folder / "text.srt"), "-map", "0", "-map", "1", "-map", "2"]
    command += ["-pix_fmt", "yuv420p", "-c:v", "ffv1", "-c:a", "flac", *options, str(source)]
    subprocess.run(command, check=True)
    return source


def probe(path: Path) -> dict[str, dict[str, Any]]:
    """The streams by their kind."""
    found = subprocess.run(
        ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(path)],
        capture_output=True,
        check=True,
    )
    return {stream["codec_type"]: stream for stream in json.loads(found.stdout)["streams"]}


def onsets(path: Path) -> list[float]:
    """When the clicks begin, in seconds, as ffmpeg decodes them."""
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(path), "-ac", "1", "-ar", "48000", "-f", "f32le", "-"],
        capture_output=True,
        check=True,
    )
    loud = np.flatnonzero(np.abs(np.frombuffer(decoded.stdout, np.float32)) > 0.05) / 48000
    return [float(loud[0]), float(loud[loud > 1][0])]


@pytest.mark.parametrize(
    ("codec", "resume", "video"), [("auto", None, "av1"), ("vp9", None, "vp9"), ("vp9", "m", "vp9")]
)
def test_webm_has_av1_or_vp9_with_opus_and_webvtt(
    tmp_path: Path, codec: str, resume: str | None, video: str
) -> None:
    source, target, notes = film(tmp_path), tmp_path / "out.webm", list[str]()
    upscale_video(
        source,
        target,
        Nearest(2),
        EncoderOptions(codec),
        ConvertOptions(resume=resume, segment_frames=20),
        quiet=True,
        say=notes.append,
    )
    assert notes == [
        "a.mkv: audio (flac as opus), .webm cannot hold it as it is",
        "a.mkv: subtitle (ass as webvtt), for .webm",
    ]
    streams = probe(target)
    assert {kind: stream["codec_name"] for kind, stream in streams.items()} == {
        "video": video,
        "audio": "opus",
        "subtitle": "webvtt",
    }
    assert (streams["video"]["width"], streams["video"]["nb_read_frames"]) == (128, "50")
    assert streams["audio"]["channel_layout"] == "5.1"
    assert streams["subtitle"]["nb_read_frames"] == "2"
    head = target.read_bytes()[:64]
    assert b"webm" in head  # the kind of Matroska that browsers take
    assert b"matroska" not in head
    assert onsets(target) == pytest.approx(onsets(source), abs=0.003)


def test_opus_is_copied_and_deep_video_becomes_av1_of_10_bits(tmp_path: Path) -> None:
    source = film(tmp_path, "-pix_fmt", "yuv420p10le", "-c:a", "libopus")
    target, notes = tmp_path / "out.webm", list[str]()
    upscale_video(source, target, DeepNearest(2), quiet=True, say=notes.append)
    assert notes == ["a.mkv: subtitle (ass as webvtt), for .webm"]
    assert probe(target)["video"]["pix_fmt"] == "yuv420p10le"
    upscale_video(
        source,
        tmp_path / "8.webm",
        DeepNearest(2),
        EncoderOptions("vp9"),
        quiet=True,
        say=notes.append,
    )
    assert "a.mkv: 10 bits per channel are reduced to 8, the most that vp9 has" in notes


def test_the_shape_of_pixels_and_times_are_kept(tmp_path: Path) -> None:
    source = film(tmp_path, "-vf", "setsar=4/3")
    target = tmp_path / "out.webm"
    upscale_video(source, target, Nearest(2), quiet=True, say=lambda _: None)
    assert probe(target)["video"]["sample_aspect_ratio"] == "4:3"
    assert times(target, "v", "packet=pts_time") == [n / 25 for n in range(50)]


def test_what_webm_cannot_hold_is_one_line(tmp_path: Path) -> None:
    source, target = make_clip(tmp_path / "a.mp4", noise(3), audio="aac"), tmp_path / "out.webm"
    for options, audio, error in (
        (EncoderOptions("h264"), Audio.AUTO, r"h264 video cannot be written to \.webm; use \.mp4"),
        (EncoderOptions(), Audio.AAC, r"\.webm cannot hold AAC; leave out --audio aac"),
        (EncoderOptions(), Audio.COPY, r"\.webm cannot hold the audio \(aac\)"),
    ):
        with pytest.raises(OutputError, match=error):
            upscale_video(source, target, Nearest(), options, ConvertOptions(audio), quiet=True)
    with pytest.raises(ConfigError, match="av1 has no preset 'veryfast'"):
        upscale_video(source, target, Nearest(), EncoderOptions(preset="veryfast"), quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
