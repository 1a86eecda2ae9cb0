"""Every command of docs/import.md runs, in its order, on files of the names that it uses."""

from __future__ import annotations

import re
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from framelift.cli.main import framelift

from ..support.foreign_models import Net, save, window_net

GUIDE = Path(__file__).parents[2] / "docs" / "import.md"


def commands() -> list[list[str]]:
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).splitlines()
    assert all(line.startswith("framelift ") for line in lines)
    return [shlex.split(line)[1:] for line in lines]


def python_blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)


def write_clip(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for shade in range(6):
            pixels = np.full((24, 32, 3), 40 * shade, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "bgr24")))
        container.mux(stream.encode())


def test_every_command_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Net(scale=2, order="rgb").save(tmp_path / "2x-foreign.onnx")
    Net(scale=1, white=255, last="clip").save(tmp_path / "style.onnx")
    save(window_net(5, "stack", 2), tmp_path / "tspan5.onnx")
    write_clip(tmp_path / "clip.mp4")
    cv2.imwrite("photo.png", np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8))
    said = ""
    for words in commands():
        result = CliRunner().invoke(framelift, words, catch_exceptions=False)
        assert result.exit_code == 0, (words, result.output)
        said += result.output
    for line in re.findall(r"^note: .*$", GUIDE.read_text(encoding="utf-8"), re.M):
        assert line in said
    with av.open("clip_5.mp4") as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    painted = cv2.imread("painted.png")
    assert painted is not None
    assert painted.shape == (20, 30, 3)
    frames = list(np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), np.uint8))
    names: dict[str, Any] = {
        "np": np,
        "frame": frames[0],
        "frames": frames,
        "height": 20,
        "width": 30,
    }
    for code in python_blocks():
        exec(compile(code, str(GUIDE), "exec"), names)
    assert names["big"].shape == (40, 60, 3)
    assert [picture.shape for picture in names["results"]] == [(40, 60, 3)] * 6
