"""Reuse on shots that are drawn and coded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framelift.benchmarks.shared.shots import animation_on_twos, screen_recording, static_shot
from framelift.benchmarks.speed.reuse import ReuseSettings, measure_reuse
from framelift.common.errors import ConfigError
from tests.support.reports import Json


def test_every_shot_is_measured_and_no_bit_differs(reports: dict[str, Json]) -> None:
    shots = {shot["name"]: shot for shot in reports["reuse"]["results"]["shots"]}
    assert list(shots) == [
        "the same frame",
        "noise",
        "screen recording",
        "animation on twos",
        "clip.mp4",
        "clip.mp4, x264:30",
    ]
    assert all(shot["different_frames"] == 0 for shot in shots.values())
    assert shots["the same frame"]["reused_share"] == 0.9
    assert shots["noise"]["reused_share"] == 0


def test_shots_stay_partly_the_same() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    size = (192, 128)
    for frames in (
        static_shot(photo, size, 12, 30),
        screen_recording(size, 12),
        animation_on_twos(size, 12),
    ):
        assert frames.shape == (12, 128, 192, 3)
        equal = (frames[1:] == frames[:-1]).all(axis=3).mean()
        assert equal > 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"frames": 3}, "frames must be at least 8, got 3"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"size": (33, 20)}, "both sides of the size must be even"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ReuseSettings(**settings)  # type: ignore[arg-type]


def test_a_model_of_several_frames_is_refused(tmp_path: Path, tiny_models: object) -> None:
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "w.onnx")  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="takes several frames: nothing is reused"):
        measure_reuse(path, (), ReuseSettings(), print)
