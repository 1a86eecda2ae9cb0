"""Sound and text that a container cannot hold are written in a form that it can."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path
from shutil import which

import av
import numpy as np
import pytest

from framelift.runtime.video.clip.span import Span
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.carried import Audio
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, audio_packets, make_clip, noise

END = re.compile(r"\{\\(i0|r)\}")  # how libav ends italics differs from form to form
FAST = EncoderOptions(preset="ultrafast")
RATE = Fraction(25)
SRT = """1
00:00:00,200 --> 00:00:00,600
Hello <i>there</i>

2
00:00:00,400 --> 00:00:02,500
Second, with a comma
and a line

3
00:00:01,000 --> 00:00:03,500
Third
"""


def convert(source: Path, target: Path, options: ConvertOptions | None = None) -> list[str]:
    notes: list[str] = []
    upscale_video(source, target, Nearest(1), FAST, options, quiet=True, say=notes.append)
    return [note for note in notes if "milliseconds" not in note]


def with_text(folder: Path, suffix: str = ".srt", text: str = SRT) -> Path:
    """A clip of four seconds in Matroska, with subtitles in German."""
    plain = make_clip(
        folder / "plain.mkv",
        noise(100),
        pts=[512 * i for i in range(100)],
        time_base=Fraction(1, 12800),
        rate=RATE,
    )
    (folder / f"text{suffix}").write_text(text, encoding="utf-8")
    path = folder / "a.mkv"
    with (
        av.open(str(plain)) as video,
        av.open(str(folder / f"text{suffix}")) as words,
        av.open(str(path), "w") as target,
    ):
        streams = [
            (video, target.add_stream_from_template(video.streams.video[0], opaque=True)),
            (words, target.add_stream_from_template(words.streams.subtitles[0], opaque=True)),
        ]
        streams[1][1].metadata["language"] = "ger"
        for source, stream in streams:
            for packet in source.demux():
                if packet.size:
                    packet.stream = stream
                    target.mux_one(packet)
    return path


def captions(path: Path) -> list[tuple[float, float, str]]:
    """When each text begins and ends, and what it is, as libav reads them."""
    found = []
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[0]
        assert stream.metadata["language"] == "ger"
        for packet in container.demux(stream):
            if not packet.size or packet.pts is None:
                continue
            decoded = stream.codec_context.decode2(packet)
            if decoded is None or not len(decoded):
                continue
            rect = decoded[0]
            assert isinstance(rect, av.subtitles.subtitle.AssSubtitle)
            start = float(packet.pts * packet.time_base)
            length = float((packet.duration or 0) * packet.time_base)
            text = rect.ass.decode().split(",", 8)[-1].replace("\\N", "\n")
            if text:
                found.append((round(start, 3), round(start + length, 3), END.sub("", text)))
    return found


ITALIC = r"Hello {\i1}there"
SECOND = "Second, with a comma\nand a line"


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".m4v"])
def test_text_becomes_mov_text_where_nothing_else_is_held(tmp_path: Path, suffix: str) -> None:
    source = with_text(tmp_path)
    notes = convert(source, tmp_path / f"out{suffix}")
    assert notes == [f"a.mkv: subtitle (subrip as mov_text), for {suffix}"]
    # QuickTime shows one text at a time: those that overlap are put together.
    assert captions(tmp_path / f"out{suffix}") == [
        (0.2, 0.4, ITALIC),
        (0.4, 0.6, f"{ITALIC}\n{SECOND}"),
        (0.6, 1.0, SECOND),
        (1.0, 2.5, f"{SECOND}\nThird"),
        (2.5, 3.5, "Third"),
    ]
    assert convert(tmp_path / f"out{suffix}", tmp_path / "back.mkv") == [
        f"out{suffix}: subtitle (mov_text as srt), for .mkv"
    ]
    assert captions(tmp_path / "back.mkv") == captions(tmp_path / f"out{suffix}")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".vtt", "WEBVTT\n\n00:00.200 --> 00:00.600\nHello\n\n00:01.000 --> 00:02.000\nagain\n"),
        (
            ".ass",
            "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
            "Style: Default,Arial,20\n\n[Events]\n"
            "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
            "Dialogue: 0,0:00:00.20,0:00:00.60,Default,,0,0,0,,Hello\n"
            "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,again\n",
        ),
    ],
)
def test_other_text_too(tmp_path: Path, suffix: str, text: str) -> None:
    source = with_text(tmp_path, suffix, text)
    convert(source, tmp_path / "out.mp4")
    assert captions(tmp_path / "out.mp4") == [(0.2, 0.6, "Hello"), (1.0, 2.0, "again")]
    assert convert(source, tmp_path / "out.mkv") == []  # held as it is


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_text_is_cut_to_the_span(tmp_path: Path, suffix: str) -> None:
    span = Span(Fraction(1, 2), Fraction(17, 10))
    convert(with_text(tmp_path), tmp_path / f"out{suffix}", ConvertOptions(span=span))
    shown = captions(tmp_path / f"out{suffix}")
    assert min(start for start, _, _ in shown) == 0
    assert max(end for _, end, _ in shown) == pytest.approx(1.2, abs=0.03)


def test_text_of_unknown_length_lasts_until_the_next(tmp_path: Path) -> None:
    source = with_text(tmp_path)
    endless = tmp_path / "endless.mkv"
    with av.open(str(source)) as before, av.open(str(endless), "w") as after:
        streams = {
            stream.index: after.add_stream_from_template(stream, opaque=True)
            for stream in before.streams
        }
        streams[1].metadata["language"] = "ger"
        for packet in before.demux():
            if packet.size:
                if packet.stream.type == "subtitle":
                    packet.duration = 0
                packet.stream = streams[packet.stream.index]
                after.mux_one(packet)
    convert(endless, tmp_path / "out.mp4")
    times = [(start, end) for start, end, _ in captions(tmp_path / "out.mp4")]
    assert times == [(0.2, 0.4), (0.4, 1.0), (1.0, 6.0)]


def tone(path: Path, start: float, end: float) -> float:
    """The loudness of the sound between two times, as libav decodes it."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("flt", "mono", 48000)
        pieces = [
            (float(frame.time or 0), frame.to_ndarray()[0])
            for decoded in container.decode(audio=0)
            for frame in resampler.resample(decoded)
        ]
    samples = np.zeros(48000 * 10, np.float32)
    for moment, piece in pieces:
        first = max(0, round(moment * 48000))
        samples[first : first + len(piece)] = piece
    return float(np.sqrt(np.mean(samples[round(start * 48000) : round(end * 48000)] ** 2)))


@pytest.mark.parametrize(
    ("codec", "suffix"), [("tta", ".mp4"), ("pcm_s16le", ".mp4"), ("flac", ".mov")]
)
def test_sound_that_is_not_held_becomes_aac(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(60), audio=codec)
    notes = convert(source, tmp_path / f"out{suffix}")
    assert notes == [f"a.mkv: audio ({codec} as aac), {suffix} cannot hold it as it is"]
    with av.open(str(tmp_path / f"out{suffix}")) as container:
        sound = container.streams.audio[0]
        assert (sound.codec_context.name, sound.rate, sound.layout.name) == ("aac", 48000, "mono")
        seconds = float((sound.duration or 0) * (sound.time_base or 0))
    assert seconds == pytest.approx(2.0, abs=0.03)
    assert tone(tmp_path / f"out{suffix}", 0.1, 1.9) == pytest.approx(
        tone(source, 0.1, 1.9), rel=0.02
    )


def test_sound_can_be_asked_for_as_aac(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mkv", noise(60), audio="flac")
    assert convert(source, tmp_path / "out.mkv", ConvertOptions(audio=Audio.AAC)) == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
    assert convert(source, tmp_path / "copy.mkv") == []
    assert audio_packets(tmp_path / "copy.mkv") == audio_packets(source)


def test_gaps_stay_and_the_span_is_kept(tmp_path: Path) -> None:
    # Half a second of sound, a second of nothing, half a second of sound.
    source = tmp_path / "gap.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48000, layout="stereo")
        for index, image in enumerate(noise(50)):
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, 1 / RATE
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        loud = (8000 * np.sin(np.arange(1920) * 0.05)).astype(np.int16).reshape(1, -1)
        for start in (*range(0, 24000, 960), *range(72000, 96000, 960)):
            piece = av.AudioFrame.from_ndarray(loud, "s16", "stereo")
            piece.sample_rate, piece.pts, piece.time_base = 48000, start, Fraction(1, 48000)
            container.mux(sound.encode(piece))
    convert(source, tmp_path / "out.mp4", ConvertOptions(audio=Audio.AAC))
    assert tone(tmp_path / "out.mp4", 0.1, 0.4) > 0.1
    assert tone(tmp_path / "out.mp4", 0.6, 1.4) < 0.001
    assert tone(tmp_path / "out.mp4", 1.6, 1.9) > 0.1
    span = ConvertOptions(audio=Audio.AAC, span=Span(Fraction(1), Fraction(9, 5)))
    convert(source, tmp_path / "cut.mp4", span)
    assert tone(tmp_path / "cut.mp4", 0.1, 0.4) < 0.001
    assert tone(tmp_path / "cut.mp4", 0.55, 0.75) > 0.1


@pytest.mark.skipif(which("ffmpeg") is None, reason="needs the FFmpeg program")
def test_truehd_becomes_aac_in_mp4(tmp_path: Path) -> None:
    source = tmp_path / "disc.mkv"
    make_clip(
        tmp_path / "plain.mkv",
        noise(50),
        pts=[512 * i for i in range(50)],
        time_base=Fraction(1, 12800),
        rate=RATE,
    )
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-i", str(tmp_path / "plain.mkv"), "-f", "lavfi"),
            *("-i", "sine=d=2:r=96000", "-map", "0", "-map", "1", "-c:v", "copy", "-strict", "-2"),
            *("-c:a", "truehd", "-ac", "2", str(source)),
        ],
        check=True,
    )
    notes = convert(source, tmp_path / "out.mp4")
    assert notes == ["disc.mkv: audio (truehd as aac), .mp4 cannot hold it as it is"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].layout.name == "stereo"
        assert container.streams.audio[0].rate == 48000
    assert convert(source, tmp_path / "out.mkv") == []


def pgs(path: Path) -> Path:
    """A file of Presentation Graphic Streams, as of Blu-ray: a white box for a second."""

    def segment(kind: int, seconds: float, body: bytes) -> bytes:
        head = b"PG" + round(90_000 * seconds).to_bytes(4, "big") + bytes(4)
        return head + bytes([kind]) + len(body).to_bytes(2, "big") + body

    def composition(number: int, state: int, objects: bytes) -> bytes:
        size = (64).to_bytes(2, "big") + (48).to_bytes(2, "big")
        return size + b"\x10" + number.to_bytes(2, "big") + bytes([state, 0, 0]) + objects

    window = bytes([1, 0]) + b"\0\x08\0\x08\0\x10\0\x08"  # 16×8 at (8, 8)
    palette = bytes([0, 0, 1, 235, 128, 128, 255])
    lines = (bytes([0, 0x80 | 16, 1]) + b"\0\0") * 8  # sixteen pixels of colour 1, end of line
    picture = b"\0\0\0\xc0" + (len(lines) + 4).to_bytes(3, "big") + b"\0\x10\0\x08" + lines
    shown = bytes([1]) + b"\0\0\0\0\0\x08\0\x08"
    data = segment(0x16, 0.5, composition(0, 0x80, shown)) + segment(0x17, 0.5, window)
    data += segment(0x14, 0.5, palette) + segment(0x15, 0.5, picture) + segment(0x80, 0.5, b"")
    data += segment(0x16, 1.5, composition(1, 0, bytes([0]))) + segment(0x17, 1.5, window)
    path.write_bytes(data + segment(0x80, 1.5, b""))
    return path


@pytest.mark.skipif(not which("ffmpeg"), reason="needs ffmpeg")
def test_subtitles_that_are_pictures_are_kept_in_matroska_and_named_elsewhere(
    tmp_path: Path,
) -> None:
    plain = make_clip(
        tmp_path / "plain.mkv",
        noise(50),
        rate=RATE,
        pts=[512 * i for i in range(50)],
        time_base=Fraction(1, 12800),
    )
    source, graphics = tmp_path / "a.mkv", pgs(tmp_path / "a.sup")
    command = ["ffmpeg", "-v", "error", "-i", str(plain), "-i", str(graphics), "-map", "0"]
    subprocess.run([*command, "-map", "1", "-c", "copy", str(source)], check=True)
    assert convert(source, tmp_path / "out.mkv") == []
    assert packets_of(tmp_path / "out.mkv") == packets_of(source)
    shown = subprocess.run(
        [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(tmp_path / "out.mkv"),
            "-filter_complex",
            "[0:v]format=gray,drawbox=c=black:t=fill[v];[v][0:s]overlay,format=gray",
            "-f",
            "rawvideo",
            "-",
        ],
        capture_output=True,
        check=True,
    )
    light = np.frombuffer(shown.stdout, np.uint8).reshape(-1, 48 * 64).max(1)
    assert [int(light[frame] > 200) for frame in (5, 20, 30, 45)] == [1, 1, 0, 0]
    for suffix in (".mp4", ".webm"):
        what = "subtitle (hdmv_pgs_subtitle) is left out"
        options = EncoderOptions("av1", preset="12") if suffix == ".webm" else FAST
        notes: list[str] = []
        target = tmp_path / f"out{suffix}"
        upscale_video(source, target, Nearest(1), options, quiet=True, say=notes.append)
        assert notes == [f"a.mkv: {what}, {suffix} cannot hold it; .mkv holds it"]


def packets_of(path: Path) -> list[tuple[Fraction, bytes]]:
    """The time and the content of every subtitle."""
    with av.open(str(path)) as container:
        return [
            ((packet.pts or 0) * packet.time_base, bytes(packet))
            for packet in container.demux(container.streams.subtitles[0])
            if packet.size
        ]
