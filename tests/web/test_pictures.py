"""A picture goes into the page, and its result is that of `Upscaler`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

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


def test_tiles_give_the_picture_of_the_whole(
    scenario: Scenario, url: str, photograph: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.png"
    address = f"{url}?model=realtime-small-x4&engine=wasm&tile=40"
    found = scenario("pictures", "upscale", url=address, file=photograph, target=target)
    assert "12 tiles" in found["facts"]
    whole = expected("realtime-small-x4-int8", read(photograph))
    assert codes_apart(read(target), whole) == 0


def test_a_network_that_sees_the_whole_picture_and_wants_multiples(
    scenario: Scenario, url: str, tmp_path: Path
) -> None:
    """The picture is filled up to multiples of 4, and never cut."""
    source, target = tmp_path / "odd.png", tmp_path / "out.png"
    cv2.imwrite(str(source), read(ROOT / "examples/raccoon.jpg")[200:251, 300:363])
    address = f"{url}?model=starry-night&engine=wasm&tile=40"
    scenario("pictures", "upscale", url=address, file=source, target=target)
    assert codes_apart(read(target), expected("starry-night", read(source))) <= 1


def test_a_colour_profile_is_converted(scenario: Scenario, url: str, tmp_path: Path) -> None:
    """A picture in linear light, which is brighter in sRGB."""
    source, target = tmp_path / "linear.png", tmp_path / "out.png"
    image = Image.new("RGB", (32, 24), (64, 64, 64))
    info = PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    image.save(source, pnginfo=info)
    address = f"{url}?model=realtime-nano-x2&engine=wasm"
    scenario("pictures", "upscale", url=address, file=source, target=target)
    assert abs(int(read(target)[24, 32, 0]) - 137) <= 4  # 255 · (1.055 · 0.251^(1/2.4) − 0.055)


def test_grey_stays_grey(scenario: Scenario, url: str, photograph: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "grey.png", tmp_path / "out.png"
    cv2.imwrite(str(source), cv2.cvtColor(read(photograph), cv2.COLOR_BGR2GRAY))
    address = f"{url}?model=realtime-small-x4-video&engine=wasm"
    scenario("pictures", "upscale", url=address, file=source, target=target)
    grey = read(source)
    wanted = expected("realtime-small-x4-video-int8", np.dstack([grey, grey, grey]))
    assert codes_apart(read(target), wanted) == 0
    assert np.ptp(wanted, axis=2).max() == 0


def test_transparency_is_resized_and_hidden_colours_are_not_seen(
    scenario: Scenario, url: str, tmp_path: Path
) -> None:
    """Under the transparent rim lies black, beside a bright picture."""
    source, target = tmp_path / "alpha.png", tmp_path / "out.png"
    bright = read(ROOT / "examples/raccoon.jpg")[200:248, 300:364] // 4 + 190
    alpha = np.zeros(bright.shape[:2], np.uint8)
    alpha[8:40, 8:56] = 255
    seen = np.where(alpha[..., None] > 0, bright, 0).astype(np.uint8)
    cv2.imwrite(str(source), np.dstack([seen, alpha]))
    address = f"{url}?model=realtime-nano-x2&engine=wasm"
    scenario("pictures", "upscale", url=address, file=source, target=target)
    result = read(target)
    large = cv2.resize(alpha, (128, 96), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    assert codes_apart(result[..., 3], large) <= 1
    inner = np.s_[2 * 14 : 2 * 34, 2 * 14 : 2 * 50]  # further from the rim than the network sees
    whole = expected("realtime-nano-x2-int8", bright.astype(np.uint8))
    assert codes_apart(result[inner][..., :3], whole[inner]) == 0
    assert result[result[..., 3] > 0][:, :3].min() > 150


def test_cancel_stops_at_once_and_the_next_run_works(
    scenario: Scenario, url: str, tmp_path: Path
) -> None:
    source = tmp_path / "large.png"
    cv2.imwrite(str(source), cv2.resize(read(ROOT / "examples/raccoon.jpg"), (1600, 1200)))
    found = scenario(
        "pictures",
        "cancel",
        url=f"{url}?model=realtime-medium-x2&engine=wasm&tile=128",
        file=source,
        then="realtime-nano-x2",
    )
    assert found["cancelMs"] < 1000
    assert found["factsThen"] == 0
    assert not found["canSave"]
    assert "3\u2009200 × 2\u2009400" in found["facts"]
    assert not found["notices"]


def test_the_line_moves_by_mouse_and_keys_and_the_picture_zooms(
    scenario: Scenario, url: str, photograph: Path
) -> None:
    address = f"{url}?model=realtime-nano-x4&engine=wasm"
    found = scenario("pictures", "slider", url=address, file=photograph)
    assert found["at"] == [50, 25, 27, 37, 35, 0, 100]
    assert found["lineAfterPan"] == 100
    assert len({found["fit"], found["zoomed"], found["panned"]}) == 3
    assert found["fitAgain"] == found["fit"]


def test_a_gpu_that_gives_black_pictures_is_left_for_webassembly(
    scenario: Scenario, url: str, photograph: Path
) -> None:
    address = f"{url}?model=realtime-nano-x2&engine=webgpu"
    found = scenario("pictures", "upscaleOnBlackGpu", url=address, file=photograph)
    assert found["notices"] == [
        "WebGPU is not used in this browser: its result is of one colour. WebAssembly is."
    ]
    assert "WebAssembly" in found["facts"]
