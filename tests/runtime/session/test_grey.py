"""Grey in is grey out: in the library, in videos and beside a resize."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime import Upscaler
from framelift.runtime.session.grey import is_grey, make_grey
from framelift.runtime.video.step import FrameStep
from framelift.runtime.video.whole_file import upscale_video

Frames = NDArray[np.uint8]


def photo(height: int = 60, width: int = 80) -> Frames:
    noise = np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)
    soft = cv2.GaussianBlur(noise, (0, 0), 2)
    grey = cv2.normalize(soft, soft, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    return np.repeat(grey[..., None], 3, 2)


def assert_grey(frame: Frames) -> None:
    assert np.ptp(frame.astype(int), axis=-1).max() == 0


@pytest.mark.parametrize("model", ["realtime-small-x4-video-int8", "realtime-medium-x2-perceptual"])
def test_a_grey_frame_stays_grey_and_others_are_left_alone(model: str) -> None:
    grey = photo()
    tinted = grey.copy()
    tinted[1, 2, 0] ^= 1
    with Upscaler.load(model, "onnx-cpu", threads=1) as upscale:
        for big in (upscale(grey), *upscale(np.stack([grey, grey]))):
            assert_grey(big)
            assert np.ptp(big) > 200
        out = np.empty((60 * upscale.scale, 80 * upscale.scale, 3), np.uint8)
        assert_grey(upscale.submit(grey, out).result())
        assert np.ptp(upscale(tinted).astype(int), axis=-1).max() > 0


def test_luma_leaves_every_grey_value_and_the_weights_are_bt601() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, 2)
    np.testing.assert_array_equal(make_grey(ramp.copy()), ramp)
    blue, green, red = make_grey(np.eye(3, dtype=np.uint8)[None] * 255)[0, :, 0]
    assert (blue, green, red) == (29, 150, 76)


def test_one_pixel_of_colour_anywhere_is_seen() -> None:
    assert is_grey(photo())
    for place in np.ndindex(6, 7, 3):
        frame = photo(6, 7)
        frame[place] ^= 1
        assert not is_grey(frame)
    tall = np.zeros((2500, 3, 3), np.uint8)
    tall[-1, -1, 2] = 1
    assert not is_grey(tall)


@pytest.mark.parametrize("factor", [Fraction(5, 2), Fraction(19, 3)])
def test_resizes_and_comparisons_keep_it(factor: Fraction) -> None:
    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=1) as upscale:
        assert_grey(FrameStep(upscale, factor=factor, compare=True).once(photo(37, 53)))


@pytest.mark.parametrize("pixels", ["gray", "yuv420p"])
def test_a_grey_video_becomes_a_grey_video(tmp_path: Path, pixels: str) -> None:
    source, target = tmp_path / "grey.mkv", tmp_path / "big.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("ffv1", 25, width=80, height=60, pix_fmt=pixels)
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(np.roll(photo(), index, 0)[..., 0].copy(), "gray")
            container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode())
    with Upscaler.load("realtime-small-x4-video-int8", "onnx-cpu", threads=1) as upscale:
        upscale_video(source, target, upscale, quiet=True, say=print)
    with av.open(str(target)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 3
    for frame in frames:
        for plane in frame.planes[1:]:
            lines = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
            assert np.unique(lines[:, : plane.width]).tolist() == [128]
