"""Fixtures that every test folder uses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of training photos, evaluation sets and clips beside the repository, if there."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"evaluation and training data not found at {path}")
    return path.parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `gpu` tests where there is no NVIDIA device, unless FRAMELIFT_REQUIRE_GPU=1."""
    if os.environ.get("FRAMELIFT_REQUIRE_GPU") == "1" or Path("/dev/nvidia0").exists():
        return
    skip = pytest.mark.skip(reason="no NVIDIA GPU (/dev/nvidia0 is missing)")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)
