"""Depth, chroma and HDR through pipes: y4m, and what goes from files and pipes to files."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framelift.common.errors import ConfigError, InputError
from framelift.runtime import Upscaler
from framelift.runtime.live.run import upscale_live
from framelift.runtime.live.sources.address import parse_source
from framelift.runtime.live.sources.network import StreamConnection, Timeouts
from framelift.runtime.live.targets.address import parse_target
from framelift.runtime.live.targets.y4m_sink import Y4mSink, y4m_format
from framelift.runtime.video.clip.colour_tags import Colour
from framelift.runtime.video.clip.frame import ClipFacts, Frame
from framelift.runtime.video.clip.pixel_format import named_format
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest
from ...support.deep_clips import chart, ffprobe, make_deep_clip, planes_of
from ...support.waiting import PATIENCE_S, wait_until_listening

_RATE = Fraction(25)
_MAIN = "import sys; from framelift.cli.main import main; main(sys.argv[1:])"


def _facts(name: str, transfer: int = 2) -> ClipFacts:
    colour = Colour(1, 1) if transfer == 2 else Colour(9, 1, 9, transfer)
    return ClipFacts(96, 64, 1 / _RATE, _RATE, Fraction(1), colour, named_format(name))


def _written(path: Path, facts: ClipFacts, lines: list[str]) -> bytes:
    image = np.full((64, 96, 3), 30000, np.uint16)
    image[:, :48] = 5000
    stored = y4m_format(facts.pixel_format, EncoderOptions())
    with io.FileIO(path, "w") as stream:
        sink = Y4mSink(stream, facts, (96, 64), "out.y4m", lines.append, stored=stored)
        for number in range(2):
            sink.write(Frame(image, number, 1 / _RATE, 1))
    return path.read_bytes().partition(b"\n")[0]


@pytest.mark.parametrize(
    ("name", "header", "read_as"),
    [
        ("yuv420p", b"C420mpeg2 ", "yuv420p"),
        ("yuv422p", b"C422 ", "yuv422p"),
        ("yuv420p10le", b"C420p10 ", "yuv420p10le"),
        ("yuv422p9le", b"C422p10 ", "yuv422p10le"),
        ("yuv444p12le", b"C444p12 ", "yuv444p12le"),
        ("gbrp16le", b"C444p16 ", "yuv444p16le"),
        ("gray10le", b"Cmono10 ", "gray10le"),
    ],
)
def test_y4m_has_the_depth_and_chroma_of_the_clip(
    tmp_path: Path, name: str, header: bytes, read_as: str
) -> None:
    lines: list[str] = []
    assert header in _written(tmp_path / "a.y4m", _facts(name), lines)
    assert lines == []
    with av.open(str(tmp_path / "a.y4m")) as container:
        frames = list(container.decode(video=0))
    assert [frame.format.name for frame in frames] == [read_as] * 2
    luma, *chroma = planes_of(frames[1])
    bits = named_format(read_as).bits
    white, black = 219 << (bits - 8), 16 << (bits - 8)
    assert luma[0, 10] == pytest.approx(black + 5000 / 65535 * white, abs=2)
    assert luma[0, 90] == pytest.approx(black + 30000 / 65535 * white, abs=2)
    for plane in chroma:
        assert np.abs(plane.astype(int) - (128 << (bits - 8))).max() <= 1


def test_y4m_cannot_state_hdr(tmp_path: Path) -> None:
    lines: list[str] = []
    _written(tmp_path / "a.y4m", _facts("yuv420p10le", 16), lines)
    assert lines == [
        "out.y4m: y4m cannot store that the video is HDR (PQ, BT.2020); tell the program that "
        "reads it"
    ]


def test_y4m_without_the_alpha_of_the_clip_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    assert b"C444 " in _written(tmp_path / "a.y4m", _facts("yuva444p"), lines)
    assert lines == [
        "out.y4m: the alpha channel is left out; files of prores, ffv1 and vp9 keep it"
    ]


def test_a_stream_has_8_bits_and_says_so(tmp_path: Path, free_port: int) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le")
    url, seen, notes = f"tcp://127.0.0.1:{free_port}", list[str](), list[str]()

    def receive() -> None:
        with contextlib.suppress(OSError), av.open(url, options={"listen": "1"}) as container:
            seen.extend(frame.format.name for frame in container.decode(video=0))

    server = threading.Thread(target=receive, daemon=True)
    server.start()
    wait_until_listening(free_port)
    upscale_live(
        parse_source(str(source)), parse_target(url), Nearest(2), quiet=True, say=notes.append
    )
    server.join(PATIENCE_S)
    assert set(seen) == {"yuv420p"}
    assert "a.mkv: yuv420p10le is reduced to 8 bits per channel" in notes


def test_hdr_is_refused_where_there_are_8_bits(tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le", kind="pq")
    target = parse_target("rtmp://127.0.0.1:9/a")
    with pytest.raises(InputError, match=r"is HDR video \(PQ\)"):
        upscale_live(parse_source(str(source)), target, Nearest(2), quiet=True, say=print)


@pytest.mark.parametrize("kind", ["sdr", "pq"])
def test_a_network_stream_is_read_with_8_bits(tmp_path: Path, kind: str) -> None:
    clip = make_deep_clip(tmp_path / "a.ts", chart("yuv420p10le"), "yuv420p10le", kind=kind)
    notes: list[str] = []

    def connect() -> StreamConnection:
        source = parse_source("rtsp://host/stream")
        return StreamConnection(
            source, av.open(str(clip)), Timeouts(), FramePool(), say=notes.append
        )

    if kind == "pq":
        with pytest.raises(InputError, match=r"is HDR video \(PQ\)"):
            connect()
        return
    image, _ = next(connect().frames())
    assert image.dtype == np.uint8
    assert notes == ["rtsp://host/stream: yuv420p10le is reduced to 8 bits per channel"]


@pytest.mark.parametrize("name", ["rgb48le", "bgr48le", "rgb24", "bgr24"])
def test_raw_frames_on_standard_output_are_what_ffmpeg_is_told(tmp_path: Path, name: str) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le")
    command = [sys.executable, "-c", _MAIN, "upscale", str(source), "-", "--pixel-format", name]
    options = ["--model", "realtime-nano-x2", "--backend", "onnx-cpu", "--quiet"]
    done = subprocess.run([*command, *options], capture_output=True, check=True)
    assert f"raw frames, {name}, 192×128, 25 fps" in done.stderr.decode()
    form = {"video_size": "192x128", "pixel_format": name, "framerate": "25"}
    with av.open(io.BytesIO(done.stdout), "r", format="rawvideo", options=form) as container:
        frames = [frame.to_ndarray(format="rgb48le") for frame in container.decode(video=0)]
    with FileSource(source) as read:
        read.use_pool(FramePool(lambda shape: np.empty(shape, np.uint16)))
        with Upscaler.load("realtime-nano-x2", "onnx-cpu") as upscaler:
            expected = [upscaler(frame.bgr)[..., ::-1] for frame in read]
    assert len(frames) == len(expected) == 2
    for got, wanted in zip(frames, expected, strict=True):
        difference = np.abs(got.astype(int) - wanted)
        if "48" in name:
            assert difference.max() <= 1
        else:  # of 8 bits, whose chroma is enlarged by another filter
            assert difference.mean() < 257


def test_raw_frames_go_to_standard_output_only(tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le")
    encoder = EncoderOptions(pixel_format="rgb48le")
    with pytest.raises(InputError, match="cannot be stored as rgb48le, which is for raw frames"):
        upscale_video(source, tmp_path / "out.mkv", Nearest(2), encoder, quiet=True)
    with pytest.raises(ConfigError, match="rgb48le is for raw frames on standard output; write to"):
        upscale_live(
            parse_source(str(source)), parse_target("tcp://127.0.0.1:9"), Nearest(2), encoder
        )
    with pytest.raises(ConfigError, match="ffv1 has no pixel format 'rgb48le'"):
        EncoderOptions("ffv1", pixel_format="rgb48le")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mkv"]


def test_y4m_of_a_format_that_is_asked_for() -> None:
    source = named_format("yuv420p")
    asked = EncoderOptions(pixel_format="yuv444p10le")
    assert y4m_format(source, asked).name == "yuv444p10le"
    with pytest.raises(ConfigError, match="y4m has no pixel format 'gbrp10le'"):
        y4m_format(source, EncoderOptions("ffv1", pixel_format="gbrp10le"))


def test_10_bits_from_a_pipe_to_a_pipe_and_from_there_to_a_file(tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv422p10le"), "yuv422p10le")

    def upscale(*arguments: str, data: bytes) -> subprocess.CompletedProcess[bytes]:
        command = [sys.executable, "-c", _MAIN, "upscale", *arguments]
        options = ["--model", "realtime-nano-x2", "--backend", "onnx-cpu", "--quiet"]
        return subprocess.run([*command, *options], input=data, capture_output=True, check=True)

    first = upscale("-", "-", data=source.read_bytes())
    assert b" C422p10 " in first.stdout.partition(b"\n")[0]
    upscale("-", str(tmp_path / "out.mkv"), "--preset", "ultrafast", data=first.stdout)
    stream = ffprobe(tmp_path / "out.mkv")
    assert (stream["width"], stream["pix_fmt"]) == (384, "yuv422p10le")
