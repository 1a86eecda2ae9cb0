"""The commands and the Python of docs/serve.md work as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from .conftest import Served, Start

GUIDE = (Path(__file__).parents[2] / "docs" / "serve.md").read_text(encoding="utf-8")


def block(heading: str, language: str, server: Served) -> str:
    """The first block of code below a heading, for this server."""
    found = re.search(rf"#+ {heading}\n.*?```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None, heading
    return found[1].replace("http://127.0.0.1:8000", str(server.client.base_url).rstrip("/"))


@pytest.fixture
def folder(tmp_path: Path, photo: Path, clip: Path) -> Path:
    """A folder with photo.jpg and clip.mp4."""
    image = cv2.imread(str(photo))
    assert image is not None
    cv2.imwrite(str(tmp_path / "photo.jpg"), image)
    shutil.copy(clip, tmp_path / "clip.mp4")
    return tmp_path


def sizes(path: Path) -> tuple[int, ...]:
    image = cv2.imread(str(path))
    assert image is not None
    return tuple(image.shape[:2])


def test_python(start: Start, folder: Path) -> None:
    code = block("With Python", "python", start())
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
    assert sizes(folder / "photo_x4.png") == (120, 160)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl(start: Start, folder: Path) -> None:
    server = start()
    # One after the other, as somebody would type them: the result is there when the events end.
    done = subprocess.run(
        ["bash", "-euc", block("With curl", "sh", server)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert "event: end" in done.stdout
    assert sizes(folder / "photo_x4.png") == (120, 160)
    assert (folder / "clip_x2.mp4").read_bytes()[4:8] == b"ftyp"
    server.idle()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_uploads(start: Start, folder: Path) -> None:
    server = start()
    code = block("Uploads that can be resumed", "sh", server)
    done = subprocess.run(
        ["bash", "-euc", code], cwd=folder, check=True, capture_output=True, text=True
    )
    assert '"name":"clip.mp4"' in done.stdout
    (job,) = server.client.get("/v1/jobs").json()["jobs"]
    assert server.finished(job["id"])["state"] == "done"
