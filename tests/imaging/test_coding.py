"""Sequences through real encoders and back."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from framelift.common.errors import ConfigError
from framelift.imaging.coding import QUALITY_LIMITS, Coding, encode_and_decode, parse_coding

COUNT, HEIGHT, WIDTH = 9, 64, 80


@pytest.fixture(autouse=True)
def _quiet_av1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "SVT_LOG", "1")


def moving() -> NDArray[np.uint8]:
    """A coloured pattern that moves by 3 pixels a frame: uint8 T×H×W×3."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    frames = []
    for k in range(COUNT):
        red = 128 + 90 * np.sin((x + 3 * k) / 9) * np.cos(y / 13)
        green = 128 + 80 * np.cos((x - y + 3 * k) / 17)
        blue = 40 + 2 * ((y + k) % 50)
        frames.append(np.stack([red, green, np.broadcast_to(blue, red.shape)], -1))
    made: NDArray[np.uint8] = np.rint(np.stack(frames)).astype(np.uint8)
    return made


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(10 * np.log10(255**2 / np.square(a.astype(float) - b).mean()))


GOOD = {"x264": 12, "x265": 12, "vp9": 12, "av1": 12, "mpeg4": 2, "mpeg2": 2}
COARSE = {"x264": 40, "x265": 40, "vp9": 58, "av1": 60, "mpeg4": 25, "mpeg2": 25}


@pytest.mark.parametrize("encoder", QUALITY_LIMITS)
def test_every_encoder_gives_the_frames_back_in_order_and_quality_is_a_setting(
    encoder: str,
) -> None:
    frames = moving()
    fine, types = encode_and_decode(frames, parse_coding(f"{encoder}:{GOOD[encoder]}"))
    coarse, _ = encode_and_decode(frames, parse_coding(f"{encoder}:{COARSE[encoder]}"))
    assert fine.shape == frames.shape
    assert types[0] == "I"
    assert len(types) == COUNT
    for k in range(COUNT):  # nearer to its own original than to a neighbour's
        assert psnr(fine[k], frames[k]) > 30
        assert psnr(fine[k], frames[k]) > psnr(fine[k], frames[(k + 1) % COUNT])
    assert psnr(fine, frames) > psnr(coarse, frames) + 3


def test_b_frames_come_back_in_the_order_of_display() -> None:
    frames = moving()
    decoded, types = encode_and_decode(frames, Coding("x264", 10, {"bf": "3"}))
    assert "B" in types
    errors = [[psnr(decoded[i], frames[j]) for j in range(COUNT)] for i in range(COUNT)]
    assert list(np.argmax(errors, axis=1)) == list(range(COUNT))


@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
@pytest.mark.parametrize("full_range", [False, True])
def test_flat_colours_survive_every_matrix_and_range(matrix: Colorspace, full_range: bool) -> None:
    colours = [(0, 0, 0), (255, 255, 255), (200, 30, 60), (20, 180, 40), (30, 60, 220)]
    frames = np.stack([np.full((32, 48, 3), colour, np.uint8) for colour in colours])
    coding = Coding("x264", 1, {"g": "1"}, matrix, full_range)
    decoded, _ = encode_and_decode(frames, coding)
    assert np.abs(decoded.astype(int) - frames).max() <= 3


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("h264:23", "encoder 'h264' is not one of x264, x265"),
        ("x264", "quality must be a number within 0 and 51, for instance x264:25"),
        ("x264:fine", "quality must be a number within 0 and 51"),
        ("vp9:64", "quality must be a number within 0 and 63"),
        ("mpeg4:nan", "quality must be a number within 1 and 31"),
    ],
)
def test_a_coding_that_is_none_is_named(text: str, line: str) -> None:
    with pytest.raises(ConfigError, match=line):
        parse_coding(text)


def test_frames_smaller_than_a_coding_block_are_coded_too() -> None:
    """x265 of PyAV 18.1 overwrites memory, and the process ends, at 44×36 pixels."""
    code = (
        "import numpy as np; from framelift.imaging.coding import *; "
        "frames = np.random.default_rng(0).integers(0, 256, (30, 36, 44, 3), np.uint8); "
        "shapes = {encode_and_decode(frames, Coding('x265', 27))[0].shape for _ in range(4)}; "
        "assert shapes == {frames.shape}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="no schedulers to ask for here")
def test_no_encoder_changes_how_its_caller_is_scheduled() -> None:
    """SVT-AV1 makes its caller a real-time thread where the user may, as root may."""
    before = os.sched_getscheduler(0)
    for encoder in QUALITY_LIMITS:
        encode_and_decode(moving()[:2], parse_coding(f"{encoder}:{COARSE[encoder]}"))
        assert os.sched_getscheduler(0) == before, encoder
