"""Video, live streams and training: what is measured, with made-up times where time matters."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from framelift.benchmarks.report.model import decode
from framelift.benchmarks.report.tables import to_text
from framelift.benchmarks.speed.stream import Camera, evaluate, read_code, write_code
from framelift.benchmarks.speed.video import Pass, measure_video, middle_round, subtract
from framelift.common.errors import ConfigError
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.writing.encoders import EncoderOptions
from tests.support.reports import Json


def test_start_up_cancels() -> None:
    def run(frames: int) -> Pass:
        busy = {"decode": 0.01 * frames, "upscale": 0.04 * frames, "encode": 0.02 * frames}
        return Pass(frames, 3 + 0.05 * frames, busy)

    result = subtract(run(10), run(40))
    assert result.fps == pytest.approx(20)
    assert result.start_up_seconds == pytest.approx(3)
    assert result.occupancy["upscale"] == pytest.approx(0.8)
    assert result.bottleneck == "upscale"


def test_a_run_too_short_to_subtract_is_unknown() -> None:
    busy = {"decode": 0.0, "upscale": 0.1, "encode": 0.0}
    result = subtract(Pass(2, 1.0, busy), Pass(8, 0.9, busy))
    assert result.fps is result.start_up_seconds is result.occupancy["decode"] is None


def test_video_is_measured_without_and_with_an_encoder(reports: dict[str, Json]) -> None:
    document = reports["video"]
    runs = document["results"]["runs"]
    assert list(runs) == ["none", "ffv1"]
    for run in runs.values():
        assert (run["short"]["frames"], run["long"]["frames"]) == (3, 12)
        assert set(run["occupancy"]) == {"decode", "upscale", "encode"}
        assert len(run["shares_of_inference_rate"]) == 2
    assert "fps, start-up cancelled" in to_text(decode(document))


def test_of_several_rounds_the_middle_one_is_reported() -> None:
    busy = {"decode": 0.0, "upscale": 0.1, "encode": 0.0}
    one = subtract(Pass(2, 1.0, busy), Pass(8, 2.0, busy))
    rounds = [
        replace(one, share_of_inference_rate=share, fps=index)
        for index, share in enumerate([0.97, None, 0.5, 0.91])
    ]
    middle = middle_round(rounds)
    assert middle.share_of_inference_rate == 0.91
    assert middle.shares_of_inference_rate == (0.97, None, 0.5, 0.91)
    assert middle.fps == 3
    unknown = middle_round(rounds[1:2])
    assert unknown.share_of_inference_rate is None


@pytest.mark.parametrize("frames", [7, 0])
def test_too_few_frames_are_refused(clip: Path, nearest_model_path: Path, frames: int) -> None:
    with pytest.raises(ConfigError, match="frames must be at least 8"):
        measure_video(nearest_model_path, clip, EncoderOptions(), frames)


@pytest.mark.parametrize("number", [0, 1, 0xAAAA, 65535, 65536 + 5])
@pytest.mark.parametrize("scale", [2, 4])
def test_the_time_code_survives_upscaling(number: int, scale: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 140, 3), np.uint8)
    write_code(image, number)
    big = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(big + np.random.default_rng(1).normal(0, 20, big.shape), 0, 255)
    assert read_code(noisy.astype(np.uint8), scale) == number % 65536


def test_the_camera_keeps_its_rate() -> None:
    now = 5.0
    waits = []

    def wait(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    camera = Camera(128, 8, 30, 0.5, FramePool(), clock=lambda: now, wait=wait)
    frames = []
    for frame in camera:
        frames.append(frame)
        now += 0.01  # whoever takes the frame works for a while
    assert len(frames) == 15
    assert camera.taken == pytest.approx([5 + n / 30 for n in range(15)])
    assert waits == pytest.approx([1 / 30 - 0.01] * 14)
    assert [read_code(frame.bgr, 1) for frame in frames] == list(range(15))
    assert float(frames[3].pts_seconds) == pytest.approx(0.1)


def test_cameras_too_small_for_the_code_are_refused() -> None:
    with pytest.raises(ConfigError, match="100×50 is too small for the time code"):
        Camera(100, 50, 30, 1, FramePool())


def test_drops_latency_and_jitter_of_a_stream() -> None:
    taken = [0.0, 0.1, 0.2, 0.3, 0.4]
    shown = [(0, 0.05), (2, 0.27), (4, 0.45)]
    result = evaluate(taken, shown, fps=10)
    assert (result.taken, result.shown, result.dropped) == (5, 3, 2)
    assert result.drop_share == pytest.approx(0.4)
    assert result.latencies_ms == pytest.approx([50, 70, 50])
    assert result.glass_to_glass is not None
    assert result.glass_to_glass.max_ms == pytest.approx(70)
    assert result.jitter_ms == pytest.approx(20)
    assert result.shown_fps == pytest.approx(5)


def test_a_wrong_code_is_counted_and_an_empty_stream_has_no_latency() -> None:
    assert evaluate([0.0, 0.1], [(7, 1.0)], fps=10).unreadable == 1
    assert evaluate([0.0, 0.1], [], fps=10).glass_to_glass is None


def test_the_live_pipeline_is_measured(reports: dict[str, Json]) -> None:
    (rate,) = reports["stream"]["results"]["rates"]
    assert rate["taken"] == 9
    assert rate["shown"] + rate["dropped"] == 9
    assert rate["unreadable"] == 0
    assert rate["shown"] == len(rate["latencies_ms"]) >= 1
    assert min(rate["latencies_ms"]) > 0
    text = to_text(decode(reports["stream"]))
    assert "live stream of tiny-nearest" in text
    assert "60 fps" in text


def test_training_speed_is_measured(training_report: Json) -> None:
    results = training_report["results"]
    assert results["step"]["count"] == len(results["samples_ms"]) == 3
    assert results["images_per_s"] > 0
    assert 0 <= results["data_wait_share"] <= 1
    assert training_report["settings"]["batch"] == 2
    assert "images per second" in to_text(decode(training_report))
