"""HDR10+ metadata of single frames comes through, by the word of ffprobe."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from framelift.runtime import Upscaler
from framelift.runtime.video.clip.hdr10_plus import HdrPlusError, message_of
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.reading.side_data import side_data_of
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.dynamic_hdr import with_message
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.deep_clips import chart, make_deep_clip

FRAMES = 8
HEAD = "b5003c000104"  # of the message: country, provider, 2094-40, application 4


def message(number: int, *, windows: int = 1, tones: bool = True, peaks: bool = False) -> bytes:
    """A message whose numbers tell which frame it belongs to."""
    fields = [(1, 8), (windows, 2)]
    if windows == 2:
        fields += [(value, 16) for value in (0, 0, 9, 9, 5, 5)]
        fields += [(0, 8), (3, 16), (4, 16), (4, 16), (0, 1)]
    fields += [(400 + number, 27), (int(peaks), 1)]
    fields += [(2, 5), (3, 5), *((value, 4) for value in range(6))] if peaks else []
    for _ in range(windows):
        fields += [(1000 + number, 17), (2000, 17), (3000, 17), (500 + number, 17), (9, 4)]
        fields += [(pair, bits) for n in range(9) for pair, bits in ((10 * n, 7), (700 * n, 17))]
        fields += [(number, 10)]
    fields += [(0, 1)]
    for _ in range(windows):
        curve = [(1, 1), (100 + number, 12), (200, 12), (9, 4)]
        curve += [(100 * n, 10) for n in range(9)]
        fields += curve if tones else [(0, 1)]
        fields += [(1, 1), (5, 6)]
    text = "".join(format(value, f"0{bits}b") for value, bits in fields)
    text += "0" * (-len(text) % 8)
    return bytes.fromhex(HEAD) + int(text, 2).to_bytes(len(text) // 8, "big")


def clip(path: Path, *, windows: int = 1, tones: bool = True, peaks: bool = False) -> Path:
    """PQ in HEVC with a message in each frame."""
    planes = chart("yuv420p10le") * (FRAMES // 2)
    plain = make_deep_clip(path.with_name("plain.mkv"), planes, "yuv420p10le", kind="pq")
    with av.open(str(plain)) as source, av.open(str(path), "w", format="hevc") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        annex_b = av.BitStreamFilterContext("hevc_mp4toannexb", source.streams.video[0])
        number = 0
        for packet in source.demux(video=0):
            for filtered in annex_b.filter(packet):
                stated = message(number, windows=windows, tones=tones, peaks=peaks)
                data = with_message("libx265", bytes(filtered), stated)
                made: av.Packet[Any] = av.Packet(data)
                made.stream, made.pts, made.dts = stream, filtered.pts, filtered.dts
                made.time_base = filtered.time_base
                out.mux(made)
                number += 1
    return path


def said(path: Path) -> list[dict[str, Any] | None]:
    """What ffprobe reads of each frame."""
    if shutil.which("ffprobe") is None:
        pytest.skip("ffprobe is not installed")
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_frames", "-of", "json"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True)
    found = []
    for frame in json.loads(done.stdout)["frames"]:
        sides = [
            one for one in frame.get("side_data_list", []) if "HDR10+" in one["side_data_type"]
        ]
        found.append(sides[0] if sides else None)
    return found


def upscale(
    source: Path, target: Path, codec: str = "auto", options: ConvertOptions | None = None
) -> list[str]:
    notes: list[str] = []
    preset = "10" if codec == "av1" else None if codec in ("prores", "ffv1") else "ultrafast"
    with Upscaler.load("realtime-nano-x2", "onnx-cpu", say=notes.append) as upscaler:
        encoder = EncoderOptions(codec=codec, preset=preset)
        upscale_video(source, target, upscaler, encoder, options, quiet=True, say=notes.append)
    return notes


@pytest.mark.parametrize(
    ("codec", "suffix"), [("auto", ".mkv"), ("hevc", ".mp4"), ("hevc", ".mov")]
)
def test_each_frame_keeps_its_own(tmp_path: Path, codec: str, suffix: str) -> None:
    source = clip(tmp_path / "in.hevc")
    before = said(source)
    numbers = [one and one["fraction_bright_pixels"] for one in before]
    assert numbers == [f"{n}/1000" for n in range(FRAMES)]
    notes = upscale(source, tmp_path / f"out{suffix}", codec)
    assert not any("HDR10+" in line for line in notes)
    after = said(tmp_path / f"out{suffix}")
    assert after == before
    assert after[0] is not None
    assert after[0]["num_bezier_curve_anchors"] == 9


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_av1_states_it_too(tmp_path: Path, suffix: str) -> None:
    """By the word of FFmpeg's libraries in PyAV: ffprobe before 6.1 does not look for it in AV1."""
    source = clip(tmp_path / "in.hevc")
    assert not any("HDR10+" in line for line in upscale(source, tmp_path / f"out{suffix}", "av1"))
    structures = []
    for path in (source, tmp_path / f"out{suffix}"):
        with av.open(str(path)) as container:
            frames = list(container.decode(video=0))
        structures.append([bytes(side_data_of(frame)["DYNAMIC_HDR_PLUS"]) for frame in frames])
    assert structures[0] == structures[1]
    assert len(set(structures[0])) == FRAMES


def test_all_forms_of_the_message_are_stated_again(tmp_path: Path) -> None:
    for number, form in enumerate(({"tones": False}, {"peaks": True})):
        source = clip(tmp_path / f"in{number}.hevc", **form)
        with FileSource(source) as frames:
            frames.use_pool(FramePool(lambda shape: np.empty(shape, np.uint16)))
            messages = [frame.hdr10_plus for frame in frames]
        expected = [message(n, **form) for n in range(FRAMES)]
        assert messages == expected


def test_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.hevc")
    upscale(source, tmp_path / "whole.mkv", "hevc", ConvertOptions(resume="nano"))
    assert said(tmp_path / "whole.mkv") == said(source)


def test_several_windows_are_left_out_with_one_line(tmp_path: Path) -> None:
    source = clip(tmp_path / "in.hevc", windows=2)
    notes = upscale(source, tmp_path / "out.mkv")
    lines = [line for line in notes if "HDR10+" in line]
    assert lines == ["in.hevc: HDR10+ metadata that has several windows is left out"]
    assert said(tmp_path / "out.mkv") == [None] * FRAMES


def test_codecs_that_cannot_state_it_say_so(tmp_path: Path) -> None:
    notes = upscale(clip(tmp_path / "in.hevc"), tmp_path / "out.mkv", "ffv1")
    assert (
        "in.hevc: HDR10+ metadata of single frames is left out: ffv1 cannot state it here, hevc "
        "and av1 can"
    ) in notes


def test_what_is_no_such_structure_is_refused() -> None:
    with pytest.raises(HdrPlusError, match="is not readable"):
        message_of(bytes([181, 1, 1]) + bytes(40))
    with pytest.raises(HdrPlusError, match="several windows"):
        message_of(bytes([181, 1, 2]) + bytes(4000))
