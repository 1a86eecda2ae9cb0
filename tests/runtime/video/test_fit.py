"""Results of a size that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelift.common.errors import ConfigError
from framelift.runtime.video.clip.fit import Fit, Scaling, parse_scaling
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, make_clip, noise


@pytest.mark.parametrize(
    ("scaling", "expected"),
    [
        (Fit(200, 200), (200, 150)),  # in its own shape
        (Fit(96, 144), (96, 72)),
        (Fit(width_px=160), (160, 120)),
        (Fit(height_px=24), (32, 24)),  # smaller than the input
        (parse_scaling(1.5, None, None, None), (96, 72)),
        (parse_scaling(None, "128x96", None, None), (128, 96)),
        (parse_scaling(None, "1000×96", None, None), (128, 96)),
        (parse_scaling(None, None, 128, None), (128, 96)),
        (parse_scaling(None, None, 128, 48), (64, 48)),
    ],
)
def test_videos_get_the_size(tmp_path: Path, scaling: Scaling, expected: tuple[int, int]) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(3, 64, 48))
    result = upscale_video(
        source,
        tmp_path / "out.mp4",
        Nearest(2),
        EncoderOptions("h264", preset="ultrafast"),
        ConvertOptions(factor=scaling),
        quiet=True,
        say=lambda _: None,
    )
    assert (result.width_px, result.height_px) == expected


def test_what_is_no_size_is_refused() -> None:
    for text in ("1920", "1920x", "0x5", "axb", "99999x5", "-3x4"):
        with pytest.raises(ConfigError, match="is not a width and a height"):
            parse_scaling(None, text, None, None)
    with pytest.raises(ConfigError, match="exclude each other"):
        parse_scaling(2, None, 100, None)
    with pytest.raises(ConfigError, match="exclude each other"):
        parse_scaling(None, "5x5", None, 100)
