"""Fixtures of the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..support.upscaling import write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    write_clip(path, 20)
    return path
