"""Video files and a camera through the page, in real time and to files."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime import Upscaler

from ..support.clips import make_clip
from .conftest import Scenario

ROOT = Path(__file__).parents[2]
FPS = 25
Frames = NDArray[np.uint8]


def write_clip(path: Path, width: int, height: int, count: int, *, grey: bool = False) -> Path:
    """A piece of the raccoon that moves, with a tone of 440 Hz: H.264 and AAC."""
    photo = cv2.imread(str(ROOT / "examples/raccoon.jpg"))
    assert photo is not None
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=FPS, options={"crf": "16"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        sound = container.add_stream("aac", rate=48000, layout="mono")
        for index in range(count):
            left = 100 + 6 * index
            piece = photo[150 : 150 + 3 * height, left : left + 3 * width]
            small = cv2.resize(piece, (width, height), interpolation=cv2.INTER_AREA)
            if grey:
                small = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
            frame = av.VideoFrame.from_ndarray(small.astype(np.uint8), format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        time = np.arange(48000 * count // FPS) / 48000
        tone = (0.3 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
        for start in range(0, len(tone), 1024):
            part = av.AudioFrame.from_ndarray(tone[None, start : start + 1024], "fltp", "mono")
            part.sample_rate, part.pts = 48000, start
            container.mux(sound.encode(part))
        container.mux(sound.encode(None))
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of 96×64."""
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 96, 64, FPS)


def video_frames(path: Path) -> list[tuple[float, Frames]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.time or 0), frame.to_ndarray(format="bgr24").astype(np.uint8))
            for frame in container.decode(video=0)
        ]


def loudest_hertz(path: Path) -> float:
    with av.open(str(path)) as container:
        parts = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    samples = np.concatenate(parts)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def psnr(one: Frames, other: Frames) -> float:
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def check_clip(saved: Path, source: Path, model: str, first: int, count: int) -> None:
    """Every frame at its time, that of Python but for what encoding loses, with the tone."""
    result, original = video_frames(saved), video_frames(source)
    assert [time for time, _ in result] == pytest.approx(
        [index / FPS for index in range(count)], abs=0.002
    )
    with Upscaler.load(model, "onnx-cpu") as upscale:
        for index in (0, count // 2, count - 1):
            right = psnr(result[index][1], upscale(original[first + index][1]))
            assert right > 26
            if index:
                assert right > 3 + psnr(result[index][1], upscale(original[first + index - 1][1]))
    assert loudest_hertz(saved) == pytest.approx(440, abs=5)


def test_a_video_is_upscaled_while_it_plays(scenario: Scenario, url: str, clip: Path) -> None:
    address = f"{url}?model=realtime-nano-x2&engine=wasm#video"
    found = scenario("videos", "play", url=address, file=clip, seconds=3)
    facts = found["facts"]
    assert "96 × 64 → 192 × 128" in facts
    assert float(re.findall(r"Frames a second\n([\d.]+)", facts)[0]) > 2
    assert re.search(r"\d+ of \d+ frames dropped", facts)
    assert re.search(r"Latency\n\d+ ms\n95 % within \d+ ms, 99 % within \d+ ms", facts)
    assert "WebAssembly" in facts
    assert not found["notices"]
    assert not found["said"]


def test_a_clip_is_saved_frame_by_frame_with_its_sound(
    scenario: Scenario, url: str, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out.mp4"
    found = scenario(
        "videos",
        "save",
        url=f"{url}?model=realtime-nano-x2&engine=wasm#video",
        file=clip,
        target=target,
        **{"from": 0.2, "to": 0.8},
    )
    assert found["name"] == "clip_x2.mp4"
    assert not found["notices"]
    check_clip(target, clip, "realtime-nano-x2-int8", first=5, count=15)


def test_a_clip_of_a_phone_comes_out_upright(scenario: Scenario, url: str, tmp_path: Path) -> None:
    """The file says that its frames are to be turned by a quarter."""
    photo = cv2.imread(str(ROOT / "examples/raccoon.jpg"))
    assert photo is not None
    small = cv2.resize(photo[150:342, 100:388], (48, 32), interpolation=cv2.INTER_AREA)
    lying = [small.astype(np.uint8)] * 6
    quarter = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]
    source = make_clip(tmp_path / "phone.mp4", lying, display_matrix=quarter, audio="aac")
    target = tmp_path / "out.mp4"
    found = scenario(
        "videos",
        "save",
        url=f"{url}?model=realtime-nano-x2&engine=wasm#video",
        file=source,
        target=target,
        **{"from": 0, "to": 0.2},
    )
    assert "32 × 48 → 64 × 96" in found["facts"]
    upright = cv2.rotate(video_frames(source)[0][1], cv2.ROTATE_90_CLOCKWISE).astype(np.uint8)
    with Upscaler.load("realtime-nano-x2-int8", "onnx-cpu") as upscale:
        assert psnr(video_frames(target)[0][1], upscale(np.ascontiguousarray(upright))) > 26


def test_frames_that_stay_on_the_gpu(scenario: Scenario, url: str, tmp_path: Path) -> None:
    """The frame goes to the GPU, through the network and to a canvas without being read back."""
    source = write_clip(tmp_path / "tiny.mp4", 48, 32, 8)
    target = tmp_path / "out.mp4"
    found = scenario(
        "videos",
        "save",
        url=f"{url}?model=realtime-nano-x2&engine=webgpu#video",
        file=source,
        target=target,
        **{"from": 0, "to": 0.32},
    )
    assert "WebGPU" in found["facts"]
    assert "all 8 nodes on the GPU" in found["facts"]
    assert not found["notices"]
    check_clip(target, source, "realtime-nano-x2", first=0, count=8)


def test_grey_video_stays_grey_on_the_gpu(scenario: Scenario, url: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "grey.mp4", 48, 32, 3, grey=True)
    target = tmp_path / "out.mp4"
    scenario(
        "videos",
        "save",
        url=f"{url}?model=realtime-nano-x2&engine=webgpu#video",
        file=source,
        target=target,
        **{"from": 0, "to": 0.12},
    )
    with av.open(str(target)) as container:
        for frame in container.decode(video=0):
            for plane in (1, 2):  # without colour
                lines = np.frombuffer(bytes(frame.planes[plane]), np.uint8)
                values = lines.reshape(-1, frame.planes[plane].line_size)[:, : frame.width // 2]
                assert np.abs(values.astype(int) - 128).max() <= 1


def test_a_cancelled_clip_leaves_nothing_and_the_video_plays_on(
    scenario: Scenario, url: str, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "long.mp4", 192, 128, 60)
    address = f"{url}?model=realtime-small-x2-video&engine=wasm#video"
    found = scenario("videos", "cancel", url=address, file=source)
    assert found["downloads"] == 0
    assert found["canSave"]
    assert not found["notices"]


def test_a_camera_is_recorded_with_sound(scenario: Scenario, url: str, tmp_path: Path) -> None:
    """Chromium's own camera and microphone, which show and beep."""
    target = tmp_path / "camera.mp4"
    address = f"{url}?model=realtime-nano-x2&engine=wasm#camera"
    found = scenario("videos", "record", url=address, target=target, seconds=4)
    assert found["name"] == "camera_x2.mp4"
    assert not found["notices"]
    frames = video_frames(target)
    assert len(frames) >= 2
    assert frames[0][1].shape == (720, 1280, 3)
    assert all(one[0] < other[0] for one, other in pairwise(frames))
    with av.open(str(target)) as container:
        sound = container.streams.audio[0]
        assert float((sound.duration or 0) * (sound.time_base or 0)) > 2
