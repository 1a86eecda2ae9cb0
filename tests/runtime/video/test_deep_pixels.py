"""Pixels of more than 8 bits to RGB and back."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from framelift.runtime.video.clip.colour_tags import Colour
from framelift.runtime.video.clip.deep_bgr import DeepPixels
from framelift.runtime.video.clip.pixel_format import named_format

from ...support.deep_clips import (
    chart,
    fill,
    planes_of,
)


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
