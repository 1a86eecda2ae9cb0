"""Depth, chroma and HDR of videos: what goes in comes out, and what is lost is said."""

from __future__ import annotations

import re
import time
from fractions import Fraction
from itertools import product
from pathlib import Path

import av
import numpy as np
import pytest

from framelift.common.errors import BackendError, ConfigError, InputError
from framelift.runtime import Upscaler
from framelift.runtime.session.pending import Pending
from framelift.runtime.video import ConvertOptions, EncoderOptions, upscale_video
from framelift.runtime.video.clip.colour import Colour
from framelift.runtime.video.clip.deep_pixels import DeepPixels
from framelift.runtime.video.clip.frame import ClipFacts, Image
from framelift.runtime.video.clip.pixel_format import named_format
from framelift.runtime.video.resume.segments import work_path
from framelift.runtime.video.writing.choice import choose

from ...support.clips import Nearest, make_clip, noise
from ...support.deep_clips import (
    COLOURS,
    STATIC_HDR,
    chart,
    ffprobe,
    fill,
    make_deep_clip,
    planes_of,
    read_planes,
    tags_of,
)

FAST = EncoderOptions(preset="ultrafast")
FORMATS = {8: "", 10: "10le", 12: "12le"}


@pytest.fixture(scope="module")
def upscaler() -> Upscaler:
    """As `framelift upscale --scale 2` loads it on a CPU: int8, and for deep frames fp16."""
    return Upscaler.load(
        "realtime-nano-x2", "onnx-cpu", cpu_model="realtime-nano-x2-int8", say=lambda line: None
    )


def _upscale(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    encoder: EncoderOptions = FAST,
    options: ConvertOptions | None = None,
) -> list[str]:
    notes: list[str] = []
    upscale_video(source, target, upscaler, encoder, options, quiet=True, say=notes.append)
    return [note for note in notes if "whole milliseconds" not in note]


@pytest.mark.parametrize(
    "name", ["yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv420p16le", "gray10le"]
)
@pytest.mark.parametrize("range_", [1, 2])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_codes_survive_the_way_to_rgb_and_back(name: str, range_: int, matrix: int) -> None:
    picture = av.VideoFrame(96, 64, name)
    source = chart(name)[0]
    for plane, codes in zip(picture.planes, source, strict=True):
        fill(plane, codes)
    image = np.empty((64, 96, 3), np.uint16)
    pixels, colour = DeepPixels(), Colour(matrix, range_)
    pixels.to_bgr(picture, colour, image)
    back = planes_of(pixels.from_bgr(image, name, colour))
    bits = named_format(name).bits
    for before, after in zip(source, back, strict=True):
        flat = np.s_[2:6] if before.shape[0] < 64 else np.s_[4:28]  # where chroma does not change
        difference = np.abs(after[flat].astype(int) - before[flat])
        assert difference.max() <= max(1, 2 ** (bits - 12)) + 8 * (bits == 16)


def test_pictures_of_a_gpu_s_decoder_are_the_same(tmp_path: Path) -> None:
    picture = av.VideoFrame(96, 64, "yuv420p10le")
    for plane, codes in zip(picture.planes, chart("yuv420p10le")[0], strict=True):
        fill(plane, codes)
    images = [np.empty((64, 96, 3), np.uint16) for _ in range(2)]
    for name, image in zip(("yuv420p10le", "p010le"), images, strict=True):
        DeepPixels().to_bgr(picture.reformat(format=name), Colour(1, 1), image)
    assert np.array_equal(images[0], images[1])


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
    assert _upscale(source, target, upscaler, best) == []
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
        _upscale(source, tmp_path / target, upscaler, EncoderOptions(codec, preset=preset))
        found = {part["side_data_type"]: part for part in ffprobe(tmp_path / target)["side_data"]}
        display = found["Mastering display metadata"]
        assert float(_number(display["max_luminance"])) == pytest.approx(1000, rel=1e-3)
        assert float(_number(display["min_luminance"])) == pytest.approx(0.005, rel=0.05)
        assert _number(display["red_x"]) == pytest.approx(0.68, abs=1e-4)
        light = found["Content light level metadata"]
        assert (light["max_content"], light["max_average"]) == (1000, 400)
    notes = _upscale(source, tmp_path / "d.mov", upscaler, EncoderOptions("prores"))
    assert notes == [
        "a.mp4: what is said of the mastering display and the light is left out: prores cannot "
        "state it here, hevc and av1 can"
    ]


def _number(text: str) -> float:
    above, _, below = text.partition("/")
    return int(above) / int(below)


MATRIX = list(
    product((8, 10, 12), ("420", "422", "444"), ("sdr", "pq", "hlg"), (".mp4", ".mov", ".mkv"))
)
FEW = [
    (8, "420", "sdr", ".mp4"),
    (8, "422", "sdr", ".mkv"),
    (8, "420", "hlg", ".mp4"),
    (10, "420", "sdr", ".mov"),
    (10, "420", "pq", ".mp4"),
    (10, "422", "hlg", ".mov"),
    (12, "444", "pq", ".mkv"),
    (12, "420", "sdr", ".mp4"),
]


def _comes_through(
    folder: Path, upscaler: Upscaler, case: tuple[int, str, str, str], encoder: EncoderOptions
) -> list[str]:
    """Upscale a clip of these bits, chroma and kind in this container; it comes out described as
    it was, and what is lost is in the notes, which are returned.
    """
    bits, chroma, kind, suffix = case
    name = f"yuv{chroma}p{FORMATS[bits]}"
    codec = "libx264" if bits == 8 else "libx265"
    source = make_deep_clip(folder / f"a{suffix}", chart(name), name, kind=kind, codec=codec)
    notes = _upscale(source, folder / f"out{suffix}", upscaler, encoder)
    stream = ffprobe(folder / f"out{suffix}")
    assert {key: stream.get(key) for key in tags_of(kind)} == tags_of(kind)
    assert stream["color_range"] == "tv"
    stored = named_format(stream["pix_fmt"])
    lost = " ".join(notes)
    assert stored.bits >= bits or f"{bits} bits per channel are reduced to {stored.bits}" in lost
    spelled = ":".join(chroma)
    kept = stored.chroma >= named_format(name).chroma
    assert kept or f"{spelled} is reduced to {stored.chroma_name}" in lost
    assert len(read_planes(folder / f"out{suffix}")) == 2
    return notes


@pytest.mark.parametrize(
    ("codec", "name", "stored", "depth", "note"),
    [
        ("hevc-nvenc", "yuv420p10le", "p010le", 16, ""),
        ("av1-nvenc", "yuv420p10le", "p010le", 16, ""),
        ("hevc-nvenc", "yuv422p12le", "p010le", 16, "12 bits per channel are reduced to 10 and"),
        ("hevc-nvenc", "yuv420p", "yuv420p", 8, ""),
        ("h264-nvenc", "yuv420p10le", "yuv420p", 8, "10 bits per channel are reduced to 8"),
    ],
)
def test_what_nvenc_is_given(codec: str, name: str, stored: str, depth: int, note: str) -> None:
    """NVENC itself needs a GPU: this is what is handed to it."""
    facts = ClipFacts(
        96, 64, Fraction(1, 25), None, Fraction(1), Colour(1, 1), pixel_format=named_format(name)
    )
    made = choose(facts, EncoderOptions(codec), ".mp4", None)
    assert (made.encoder.pixel_format, made.depth) == (stored, depth)
    assert bool(made.notes) == bool(note)
    assert all(line.startswith(note) for line in made.notes)


def test_p010_has_the_codes_of_planes() -> None:
    """NVENC's format of 10 bits, by FFmpeg's conversion to planes."""
    image = np.empty((64, 96, 3), np.uint16)
    picture = av.VideoFrame(96, 64, "yuv420p10le")
    for plane, codes in zip(picture.planes, chart("yuv420p10le")[0], strict=True):
        fill(plane, codes)
    DeepPixels().to_bgr(picture, Colour(1, 1), image)
    planes = [
        planes_of(DeepPixels().from_bgr(image, name, Colour(1, 1)).reformat(format="yuv420p10le"))
        for name in ("yuv420p10le", "p010le")
    ]
    for one, other in zip(*planes, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("case", FEW, ids=str)
def test_some_of_the_matrix(
    tmp_path: Path, upscaler: Upscaler, case: tuple[int, str, str, str]
) -> None:
    _comes_through(tmp_path, upscaler, case, FAST)


@pytest.mark.slow
@pytest.mark.parametrize("pixel_format", [None, "same"])
@pytest.mark.parametrize("case", MATRIX, ids=str)
def test_the_whole_matrix(
    tmp_path: Path,
    upscaler: Upscaler,
    case: tuple[int, str, str, str],
    pixel_format: str | None,
) -> None:
    encoder = EncoderOptions(preset="ultrafast", pixel_format=pixel_format)
    notes = _comes_through(tmp_path, upscaler, case, encoder)
    if pixel_format == "same":
        assert not any("reduced" in note for note in notes)


@pytest.mark.parametrize(
    ("name", "suffix", "encoder", "stored", "notes"),
    [
        ("yuv420p", ".mp4", FAST, "yuv420p", []),
        ("yuv420p", ".mkv", EncoderOptions("ffv1"), "bgr0", []),
        (
            "yuv420p10le",
            ".mp4",
            FAST,
            "yuv420p10le",
            ["has 10 bits per channel and becomes hevc; --codec names another"],
        ),
        (
            "yuv422p10le",
            ".mp4",
            EncoderOptions("hevc", preset="ultrafast"),
            "yuv420p10le",
            [
                "4:2:2 is reduced to 4:2:0, which players of .mp4 know; --pixel-format same keeps "
                "more"
            ],
        ),
        (
            "yuv420p10le",
            ".mp4",
            EncoderOptions("h264", preset="ultrafast"),
            "yuv420p",
            [
                "10 bits per channel are reduced to 8, which players of .mp4 know; --pixel-format "
                "same keeps more"
            ],
        ),
        (
            "yuv420p10le",
            ".mp4",
            EncoderOptions("h264", preset="ultrafast", pixel_format="same"),
            "yuv420p10le",
            [],
        ),
        ("yuv420p", ".mp4", EncoderOptions(pixel_format="yuv444p10le"), "yuv444p10le", []),
        ("yuv420p10le", ".mkv", EncoderOptions("ffv1"), "gbrp10le", []),
        ("yuv422p12le", ".mkv", EncoderOptions("ffv1", pixel_format="same"), "yuv422p12le", []),
        ("yuv422p10le", ".mov", EncoderOptions("prores"), "yuv422p10le", []),
        # Which FFmpeg decodes as 12 bits.
        ("yuv444p10le", ".mov", EncoderOptions("prores"), "yuv444p12le", []),
        (
            "yuv444p12le",
            ".mov",
            EncoderOptions("prores", preset="hq"),
            "yuv422p10le",
            [
                "12 bits per channel are reduced to 10 and 4:4:4 is reduced to 4:2:2, the most "
                "that prores has in its profile hq"
            ],
        ),
        ("gray10le", ".mkv", EncoderOptions("hevc", pixel_format="same"), "gray10le", []),
        ("gray10le", ".mkv", EncoderOptions("hevc"), "yuv420p10le", []),
    ],
)
def test_what_a_clip_is_stored_as(
    tmp_path: Path,
    upscaler: Upscaler,
    name: str,
    suffix: str,
    encoder: EncoderOptions,
    stored: str,
    notes: list[str],
) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, codec="ffv1")
    found = _upscale(source, tmp_path / f"out{suffix}", upscaler, encoder)
    assert found == [f"a.mkv: {note}" for note in notes]
    assert ffprobe(tmp_path / f"out{suffix}")["pix_fmt"] == stored


@pytest.mark.parametrize("name", ["gray", "gray10le", "yuv420p10le"])
def test_grey_stays_grey(tmp_path: Path, upscaler: Upscaler, name: str) -> None:
    planes = chart(name)
    for parts in planes:
        for chroma in parts[1:]:
            chroma[...] = 512
    source = make_deep_clip(tmp_path / "a.mkv", planes, name, codec="ffv1")
    _upscale(source, tmp_path / "out.mkv", upscaler)
    luma, *colours = read_planes(tmp_path / "out.mkv")[0]
    neutral = 128 if name == "gray" else 512
    assert all((plane == neutral).all() for plane in colours)
    assert abs(luma.mean() / planes[0][0].mean() - 1) < 0.01


def test_prores_of_a_full_range_clip_keeps_its_colours(tmp_path: Path) -> None:
    grey = [np.full((64, 96, 3), value, np.uint8) for value in (16, 128, 239)]
    source = make_clip(tmp_path / "full.mp4", grey, colour=(1, 2, 1, 1), options={"qp": "0"})
    target = tmp_path / "out.mov"
    upscale_video(source, target, Nearest(1), EncoderOptions("prores"), quiet=True)
    means = [frame[0].mean() for frame in read_planes(target)]
    wanted = [64 + value / 255 * 876 for value in (16, 128, 239)]
    assert means == pytest.approx(wanted, abs=3)


def test_bt_2020_without_a_transfer_is_asked_about(tmp_path: Path, upscaler: Upscaler) -> None:
    name = "yuv420p10le"
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, tags=(9, 9, 2))
    with pytest.raises(InputError, match=r"a\.mkv: has the colours of BT\.2020 and does not state"):
        _upscale(source, tmp_path / "out.mp4", upscaler)
    assert not (tmp_path / "out.mp4").exists()
    _upscale(source, tmp_path / "out.mp4", upscaler, FAST, ConvertOptions(assume_transfer="pq"))
    assert ffprobe(tmp_path / "out.mp4")["color_transfer"] == "smpte2084"
    with pytest.raises(ConfigError, match="transfer 'hdr' is unknown: use sdr, pq, hlg"):
        ConvertOptions(assume_transfer="hdr")


def test_hdr_is_refused_where_8_bits_would_be_left(tmp_path: Path, upscaler: Upscaler) -> None:
    name = "yuv420p10le"
    source = make_deep_clip(tmp_path / "a.mkv", chart(name), name, kind="pq")
    with pytest.raises(InputError, match=r"a\.mkv: is HDR video \(PQ\), which 8 bits per channel"):
        _upscale(source, tmp_path / "out.mp4", upscaler, EncoderOptions("h264"))
    with (
        Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as int8,
        pytest.raises(InputError, match=r"needs more than 8 bits: realtime-nano-x2-int8 is int8"),
    ):
        _upscale(source, tmp_path / "out.mp4", int8)
    assert list(tmp_path.iterdir()) == [source]


def test_an_int8_model_makes_8_bits_and_says_so(tmp_path: Path) -> None:
    source = make_deep_clip(tmp_path / "a.mkv", chart("yuv420p10le"), "yuv420p10le")
    with Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as int8:
        notes = _upscale(source, tmp_path / "out.mp4", int8)
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
            end = time.monotonic() + 30
            while not self._segment.exists() and time.monotonic() < end:
                time.sleep(0.01)
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
    assert _upscale(source, tmp_path / "out.mp4", upscaler) == []
    stream = ffprobe(tmp_path / "out.mp4")
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert COLOURS["sdr"] == (1, 1, 1)
