"""A picture goes into the page, and its result is that of `Upscaler`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime import Upscaler

from .conftest import Scenario

ROOT = Path(__file__).parents[2]
Frames = NDArray[np.uint8]


def read(path: Path) -> Frames:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return image.astype(np.uint8)


def expected(model: str, frame: Frames) -> Frames:
    with Upscaler.load(model, "onnx-cpu") as upscale:
        return upscale(np.ascontiguousarray(frame))


def codes_apart(one: Frames, other: Frames) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """96×80, a piece of the raccoon."""
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), read(ROOT / "examples/raccoon.jpg")[200:280, 300:396])
    return path


@pytest.mark.parametrize(
    ("model", "runs"),
    [
        ("realtime-small-x4-perceptual", "realtime-small-x4-perceptual-int8"),
        ("realtime-medium-x2", "realtime-medium-x2-int8"),
    ],
)
def test_wasm_gives_the_picture_of_python(
    scenario: Scenario, url: str, photograph: Path, tmp_path: Path, model: str, runs: str
) -> None:
    """Processors run the int8 form, exactly."""
    target = tmp_path / "out.png"
    found = scenario(
        "pictures",
        "upscale",
        url=f"{url}?model={model}&engine=wasm",
        file=photograph,
        target=target,
    )
    assert "WebAssembly" in found["facts"]
    assert "int8" in found["facts"]
    assert codes_apart(read(target), expected(runs, read(photograph))) == 0
    assert not found["notices"]
    assert not found["said"]


def test_webgpu_gives_the_picture_of_python_within_one_code(
    scenario: Scenario, url: str, photograph: Path, tmp_path: Path
) -> None:
    """On Vulkan in software, which has no half precision: the page widens the fp16 file."""
    target = tmp_path / "out.png"
    found = scenario(
        "pictures",
        "upscale",
        url=f"{url}?model=realtime-nano-x2-perceptual&engine=webgpu",
        file=photograph,
        target=target,
    )
    assert "float32, all 8 nodes on the GPU" in found["facts"]
    assert codes_apart(read(target), expected("realtime-nano-x2-perceptual", read(photograph))) <= 1
    assert not found["notices"]
