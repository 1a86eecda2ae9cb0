"""Models beside each other on coded clips: by features, and by who does not know whose they are."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from framelift.common.errors import ConfigError, FrameliftError
from models import blind
from models.coded import main
from tests.support.clips import make_clip

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A camera that moves over a photograph, without loss."""
    image = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert image is not None
    frames = [np.ascontiguousarray(image[100:260, 100 + k : 260 + k]) for k in range(5)]
    path = tmp_path_factory.mktemp("clips") / "clip.mkv"
    return make_clip(path, frames, codec="ffv1", pixel_format="bgr0", colour=(0, 2, 2, 2))


def rows(output: str) -> list[list[str]]:
    return [line.split() for line in output.splitlines()]


def test_a_model_is_nearer_than_one_that_blurs(clip: Path, vgg: str) -> None:
    models = ["realtime-nano-x4", "realtime-nano-x4", "realtime-small-x4"]
    options = ["--vgg", vgg, "--clip", str(clip), "--coding", "x264:40"]
    done = CliRunner().invoke(main, [*models, *options], catch_exceptions=False)
    header, *found = rows(done.output)
    assert header == ["model", "coding", "relu2_2", "nearer", "relu3_3", "nearer", "texture"]
    assert [row[1] for row in found] == ["clean"] * 3 + ["x264:40"] * 3
    assert all(row[2:4] == ["0.0%", "0.0%"] for row in (found[1], found[4]))  # the parent itself
    clean, coded = found[2], found[5]
    assert float(clean[2].rstrip("%")) > 0
    assert float(coded[-1]) > float(clean[-1])  # coding takes texture away


def test_models_of_two_scales(clip: Path, vgg: str) -> None:
    models = ["realtime-nano-x4", "realtime-nano-x2"]
    with pytest.raises(ConfigError, match="must have one scale"):
        CliRunner().invoke(
            main, [*models, "--vgg", vgg, "--clip", str(clip)], catch_exceptions=False
        )


def sheet(clip: Path, out: Path, place: str) -> np.ndarray:
    listed = out.parent / f"{out.name}.toml"
    listed.write_text(f'[[picture]]\nkind = "fur"\nfile = "clip.mkv"\nleft = 8\ntop = 8\n{place}\n')
    options = ["--hr", str(clip.parent), "--pictures", str(listed), "--out", str(out)]
    methods = ["--method", "a=realtime-nano-x4", "--method", "bicubic", "--pairs", "1"]
    CliRunner().invoke(blind.main, ["render", *options, *methods], catch_exceptions=False)
    assert len(json.loads((out / "key.json").read_text())["pairs"]) == 1
    image = cv2.imread(str(out / "01.png"))
    assert image is not None
    return image


def test_frames_of_clips_are_shown_as_coded(clip: Path, tmp_path: Path) -> None:
    first = sheet(clip, tmp_path / "first", "frame = 0")
    third = sheet(clip, tmp_path / "third", "frame = 2")
    coded = sheet(clip, tmp_path / "coded", 'frame = 2\ncoding = "x264:45"')
    difference = cv2.absdiff(third, coded).mean()
    assert difference > 2
    assert cv2.absdiff(first, third).mean() > 2
    with pytest.raises(FrameliftError, match="has 5 frames; there is no frame 5"):
        sheet(clip, tmp_path / "none", "frame = 5")
    with pytest.raises(ConfigError, match="frame"):
        sheet(clip, tmp_path / "negative", "frame = -1")
