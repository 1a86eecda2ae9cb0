"""Every command of docs/tutorial.md runs, in order, on small files of the names that it uses."""

from __future__ import annotations

import re
import shlex
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from framelift.cli.main import framelift

ROOT = Path(__file__).parents[1]
TUTORIAL = ROOT / "docs" / "tutorial.md"
INSTALLATION = "pip install '.[cpu,train]'"
# The tutorial's trainings take minutes; these settings make them short and change nothing else.
SHORT = ["--set", "data.crop=32", "--set", "data.batch=1", "--threads", "1"]


def command_lines() -> list[str]:
    blocks = re.findall(r"^```sh\n(.*?)^```", TUTORIAL.read_text(encoding="utf-8"), re.M | re.S)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def shortened(words: list[str]) -> list[str]:
    """A training of 500 steps becomes one of two, one of 600 one of three."""
    words = [{"steps=500": "steps=2", "steps=600": "steps=3"}.get(word, word) for word in words]
    return [*words, *SHORT] if words[0] == "train" else words


def write_photographs(folder: Path, count: int) -> None:
    folder.mkdir()
    photograph = cv2.imread(str(ROOT / "examples" / "raccoon.jpg"))
    assert photograph is not None
    for place in range(count):
        left, top = 60 * place, 40 * place
        cv2.imwrite(str(folder / f"{place}.png"), photograph[top : top + 96, left : left + 96])


def write_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(2))
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for shade in range(6):
            pixels = np.full((24, 32, 3), 40 * shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        container.mux(stream.encode())


def shape_of(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames of a video."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height, sum(1 for _ in container.decode(stream))


def test_every_command_of_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_photographs(tmp_path / "photos", 6)
    write_photographs(tmp_path / "held-out", 2)
    write_clip(tmp_path / "clip.mp4")
    (tmp_path / "models").symlink_to(ROOT / "models")
    installation, *lines = command_lines()
    assert installation == INSTALLATION
    assert len(lines) >= 8
    printed = ""
    for line in lines:
        name, *words = shlex.split(line)
        assert name == "framelift"
        result = CliRunner().invoke(framelift, shortened(words), catch_exceptions=False)
        assert result.exit_code == 0, (line, result.output)
        printed += result.output
    assert "step 2: PSNR" in printed
    assert "calibration frames: PSNR" in printed
    assert "gain over bicubic, dB" in printed
    assert shape_of(tmp_path / "clip_x4.mp4") == (128, 96, 6)
    assert shape_of(tmp_path / "compare.mp4") == (256, 96, 4)
