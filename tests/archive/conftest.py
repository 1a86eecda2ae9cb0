"""A small tree of clips and images, one of them damaged, and a model that is quick."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from framelift.archive.plan.job import Archive
from framelift.archive.plan.listing import Item, list_files, parse_tree, with_targets
from framelift.archive.records.ledger import Description
from framelift.runtime.files.settings import FileSettings


def write_clip(path: Path, frames: int = 8, seed: int = 0, key_frames: int = 250) -> Path:
    """A clip of 32×24 pixels with a key frame every so many frames."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": str(key_frames)})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for index in range(frames):
            image = np.repeat(rng.integers(0, 255, (24, 1, 3), np.uint8), 32, 1)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three clips, an image, and a clip that is none."""
    root = tmp_path / "in"
    write_clip(root / "a.mp4")
    write_clip(root / "series/b.mkv", seed=1)
    write_clip(root / "series/late/c.mp4", seed=2)
    rng = np.random.default_rng(0)
    cv2.imwrite(str(root / "photo.png"), rng.integers(0, 255, (10, 14, 3), np.uint8))
    (root / "series/damaged.mp4").write_bytes(b"no film")
    return root


@pytest.fixture
def archive(tree: Path, tmp_path: Path, nearest_model_path: Path) -> Archive:
    """That tree, to be made by the model."""
    settings = FileSettings(model=str(nearest_model_path), preset="ultrafast", threads=1)
    Description(str(tree), 5, {}).write(tmp_path / "out")
    return Archive(tree, tmp_path / "out", settings, "digest")


def items(archive: Archive) -> list[Item]:
    """Its files with their targets."""
    found = list_files(parse_tree(str(archive.root)), archive.out, None, lambda line: None)
    return with_targets(found, archive.settings.encoder(), {})
