"""Depth, chroma and HDR of videos: how a clip is stored in each container."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from framelift.runtime import Upscaler
from framelift.runtime.video.clip.colour_tags import Colour
from framelift.runtime.video.clip.frame import ClipFacts
from framelift.runtime.video.clip.pixel_format import named_format
from framelift.runtime.video.whole_file import upscale_video
from framelift.runtime.video.writing.choice import choose
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, make_clip
from ...support.deep_clips import (
    FAST,
    chart,
    ffprobe,
    make_deep_clip,
    read_planes,
    tags_of,
    upscale_quietly,
)

FORMATS = {8: "", 10: "10le", 12: "12le"}


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
    notes = upscale_quietly(source, folder / f"out{suffix}", upscaler, encoder)
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
    found = upscale_quietly(source, tmp_path / f"out{suffix}", upscaler, encoder)
    assert found == [f"a.mkv: {note}" for note in notes]
    assert ffprobe(tmp_path / f"out{suffix}")["pix_fmt"] == stored


@pytest.mark.parametrize("name", ["gray", "gray10le", "yuv420p10le"])
def test_grey_stays_grey(tmp_path: Path, upscaler: Upscaler, name: str) -> None:
    planes = chart(name)
    for parts in planes:
        for chroma in parts[1:]:
            chroma[...] = 512
    source = make_deep_clip(tmp_path / "a.mkv", planes, name, codec="ffv1")
    upscale_quietly(source, tmp_path / "out.mkv", upscaler)
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
