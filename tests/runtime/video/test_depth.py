"""Depth, chroma and HDR of videos: what goes in comes out, and what is lost is said."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import BackendError, ConfigError, InputError
from framelift.runtime import Upscaler
from framelift.runtime.session.pending import Pending
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.resume.segments import work_path
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import make_clip, noise
from ...support.deep_clips import (
    COLOURS,
    FAST,
    STATIC_HDR,
    chart,
    ffprobe,
    make_deep_clip,
    read_planes,
    tags_of,
    upscale_quietly,
)
from ...support.waiting import wait_until


@pytest.mark.parametrize(
    ("name", "kind", "range_"),
    [("yuv420p10le", "pq", 1), ("yuv420p10le", "sdr", 2), ("yuv422p10le", "hlg", 1)],
)
def test_flat_areas_and_the_mean_keep_their_codes(
    tmp_path: Path, upscaler: Upscaler, name: str, kind: str, range_: int
) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, kind=kind, range_=range_)
    _keeps_codes(source, upscaler)


@pytest.mark.parametrize("model", ["realtime-small-x2-video", "realtime-small-x4-video"])
def test_the_models_for_videos_keep_the_codes_of_pq(tmp_path: Path, model: str) -> None:
    name = "yuv420p10le"
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, kind="pq")
    with Upscaler.load(model, "onnx-cpu") as upscaler:
        _keeps_codes(source, upscaler)


def _keeps_codes(source: Path, upscaler: Upscaler) -> None:
    """Flat areas of the chart are within 2 of 1023 codes, the mean of luma within 0.5 %."""
    target, scale = source.with_name("out.mkv"), upscaler.scale
    best = EncoderOptions("hevc", 0, "ultrafast", "same")
    assert upscale_quietly(source, target, upscaler, best) == []
    before, after = read_planes(source)[0], read_planes(target)[0]
    for small, big in zip(before, after, strict=True):
        height, width = small.shape
        for patch in range(6):
            rows = slice(height * 5 // 8, height * 7 // 8)
            columns = slice(
                patch * width // 6 + width // 18, (patch + 1) * width // 6 - width // 18
            )
            wide = slice(scale * columns.start, scale * columns.stop)
            got = big[scale * rows.start : scale * rows.stop, wide].astype(int)
            assert np.abs(got - int(small[rows, columns].flat[0])).max() <= 2
    assert abs(after[0].mean() / before[0].mean() - 1) < 0.005
    ramp = after[0][10 * scale].astype(float)
    wanted = np.interp((np.arange(96 * scale) + 0.5) / scale - 0.5, np.arange(96), before[0][10])
    assert np.abs(ramp - wanted)[8:-8].max() <= 2
    assert len(np.unique(ramp)) > 150


def test_hdr_metadata_is_kept(tmp_path: Path, upscaler: Upscaler) -> None:
    clip = chart("yuv420p10le") * 2
    source = make_deep_clip(
        tmp_path / "a.mp4", clip, "yuv420p10le", kind="pq", parameters=STATIC_HDR
    )
    for target, codec in (("a.mkv", "auto"), ("b.mp4", "auto"), ("c.mkv", "av1")):
        preset = "12" if codec == "av1" else "ultrafast"
        upscale_quietly(source, tmp_path / target, upscaler, EncoderOptions(codec, preset=preset))
        found = {part["side_data_type"]: part for part in ffprobe(tmp_path / target)["side_data"]}
        display = found["Mastering display metadata"]
        assert float(_number(display["max_luminance"])) == pytest.approx(1000, rel=1e-3)
        assert float(_number(display["min_luminance"])) == pytest.approx(0.005, rel=0.05)
        assert _number(display["red_x"]) == pytest.approx(0.68, abs=1e-4)
        light = found["Content light level metadata"]
        assert (light["max_content"], light["max_average"]) == (1000, 400)
    notes = upscale_quietly(source, tmp_path / "d.mov", upscaler, EncoderOptions("prores"))
    assert notes == [
        "a.mp4: the metadata of the mastering display and the light is left out: prores cannot "
        "state it here, hevc and av1 can"
    ]


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return int(above) / int(below)


def test_bt_2020_without_a_transfer_is_asked_about(tmp_path: Path, upscaler: Upscaler) -> None:
    name = "yuv420p10le"
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, tags=(9, 9, 2))
    with pytest.raises(InputError, match=r"a\.mkv: has the colours of BT\.2020 and does not state"):
        upscale_quietly(source, tmp_path / "out.mp4", upscaler)
    assert not (tmp_path / "out.mp4").exists()
    upscale_quietly(
        source, tmp_path / "out.mp4", upscaler, FAST, ConvertOptions(assume_transfer="pq")
    )
    assert ffprobe(tmp_path / "out.mp4")["color_transfer"] == "smpte2084"
    with pytest.raises(ConfigError, match="transfer 'hdr' is unknown: use sdr, pq, hlg"):
        ConvertOptions(assume_transfer="hdr")


def test_hdr_is_refused_where_8_bits_would_be_left(tmp_path: Path, upscaler: Upscaler) -> None:
    name = "yuv420p10le"
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, kind="pq")
    with pytest.raises(InputError, match=r"a\.mkv: is HDR video \(PQ\), which 8 bits per channel"):
        upscale_quietly(source, tmp_path / "out.mp4", upscaler, EncoderOptions("h264"))
    with (
        Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as int8,
        pytest.raises(InputError, match=r"needs more than 8 bits: realtime-nano-x2-int8 is int8"),
    ):
        upscale_quietly(source, tmp_path / "out.mp4", int8)
    assert list(tmp_path.iterdir()) == [source]


def test_an_int8_model_makes_8_bits_and_says_so(tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le")
    with Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as int8:
        notes = upscale_quietly(source, tmp_path / "out.mp4", int8)
    assert notes == [
        "a.mkv: upscaled with 8 bits per channel: realtime-nano-x2-int8 is int8, which has 8 bits: "
        "use the same network without int8"
    ]
    assert ffprobe(tmp_path / "out.mp4")["pix_fmt"] == "yuv420p"


def test_resumed_equals_uninterrupted(tmp_path: Path, upscaler: Upscaler) -> None:
    """With segments, as with --resume, depth and HDR are the same, and nothing is lost at joins."""
    planes = chart("yuv420p10le") * 4
    source = make_deep_clip(
        tmp_path / "a.mkv", planes, "yuv420p10le", kind="pq", parameters=STATIC_HDR
    )

    options = ConvertOptions(resume="model", segment_frames=3)
    upscale_video(source, tmp_path / "whole.mp4", upscaler, FAST, options, quiet=True, say=_silent)
    target = tmp_path / "b.mp4"
    failing = _Failing(upscaler.at_depth(16), 5, work_path(target) / "000000.seg")
    with pytest.raises(BackendError, match="cut"):
        upscale_video(source, target, failing, FAST, options, quiet=True, say=_silent)
    lines: list[str] = []
    upscale_video(source, target, upscaler, FAST, options, quiet=True, say=lines.append)
    assert any(re.fullmatch(r"b.mp4: continuing after [345] frames", line) for line in lines)
    assert (tmp_path / "b.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    stream = ffprobe(tmp_path / "b.mp4")
    assert (stream["pix_fmt"], stream["codec_name"]) == ("yuv420p10le", "hevc")
    assert {key: stream[key] for key in tags_of("pq")} == tags_of("pq")
    assert any(p["side_data_type"] == "Mastering display metadata" for p in stream["side_data"])


class _Failing:
    """An upscaler of 16 bits that fails after some frames, once their first segment is there."""

    deep_problem = None
    depth = 16

    def __init__(self, upscaler: Upscaler, frames: int, segment: Path) -> None:
        self._upscaler, self._left, self._segment = upscaler, frames, segment
        self.scale = upscaler.scale

    def at_depth(self, depth: int) -> _Failing:
        return self

    def empty(self, shape: tuple[int, ...]) -> Image:
        return self._upscaler.empty(shape)

    def submit(self, frame: Image, out: Image) -> Pending:
        if not self._left:
            wait_until(self._segment.exists, "a whole segment")
            raise BackendError("cut")
        self._left -= 1
        return Pending(self._upscaler(frame, out))

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        raise NotImplementedError


def _silent(line: str) -> None:
    pass


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("h264", "yuv420p12le"),
            "h264 has no pixel format 'yuv420p12le'; known are same",
        ),
        (("av1", "yuv444p"), "av1 has no pixel format 'yuv444p'"),
        (("auto", "rgb"), "h264 and hevc have no pixel format 'rgb'"),
    ],
)
def test_unknown_pixel_formats_are_refused(options: tuple[str, str], message: str) -> None:
    codec, name = options
    with pytest.raises(ConfigError, match=message):
        EncoderOptions(codec, pixel_format=name)


def test_8_bit_clips_come_out_as_before(tmp_path: Path, upscaler: Upscaler) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(3))
    assert upscale_quietly(source, tmp_path / "out.mp4", upscaler) == []
    stream = ffprobe(tmp_path / "out.mp4")
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert COLOURS["sdr"] == (1, 1, 1)
