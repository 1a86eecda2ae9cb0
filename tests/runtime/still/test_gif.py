"""GIF that Framelift writes, read by Pillow and FFmpeg."""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from framelift.runtime.still.animation import Timing, encode_animation

RED, BLUE = (Image.new("RGBA", (32, 24), colour) for colour in ("red", "blue"))


def half() -> Image.Image:
    pixels = np.array(RED)
    pixels[:, :16] = 0
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("frames", "times"),
    [
        ([RED, BLUE], [1_500_000, 100]),
        ([RED, half()], [700_000, 2_000]),
        ([half(), RED, half()], [900_000, 655_350, 655_360]),
        ([RED, RED, RED, BLUE], [400_000, 300_000, 10, 40]),
        ([RED, RED], [600_000, 600_000]),
        ([RED], [2_000_000]),
        ([RED, BLUE], [0, 40]),
    ],
)
def test_what_stands_for_longer_than_gif_counts_stays(
    tmp_path: Path, frames: list[Image.Image], times: list[int]
) -> None:
    path = tmp_path / "out.gif"
    path.write_bytes(encode_animation(path, frames, Timing(times, 0), {}, print))
    shown = []
    with GifImageFile(io.BytesIO(path.read_bytes())) as image:
        assert image.info["loop"] == 0
        for number in range(image.n_frames):
            image.seek(number)
            shown.append((int(image.info["duration"]), np.asarray(image.convert("RGBA")).copy()))
    assert sum(time for time, _ in shown) == sum(times)
    for start, lasts, frame in zip(np.cumsum([0, *times]), times, frames, strict=False):
        if lasts == 0:
            continue
        clock = 0
        for time, pixels in shown:
            if clock <= start + 1 < clock + time:
                visible = np.asarray(frame)[..., 3] > 0
                np.testing.assert_array_equal(pixels[..., 3] > 0, visible)
                np.testing.assert_array_equal(pixels[visible], np.asarray(frame)[visible])
            clock += time
    with av.open(str(path)) as container:
        decoded = list(container.decode(video=0))
    assert len(decoded) == len(shown)
