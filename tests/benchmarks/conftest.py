"""Reports of every kind, each measured once on tiny models, and what they are made of."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from framelift.benchmarks.quality.flicker import measure_flicker
from framelift.benchmarks.quality.footage import FootageSettings, measure_footage
from framelift.benchmarks.quality.pictures import make_pictures
from framelift.benchmarks.quality.scores import measure_quality
from framelift.benchmarks.shared.settings import GridSettings, LatencySettings, Placement
from framelift.benchmarks.speed.espcn import measure_espcn
from framelift.benchmarks.speed.latency import measure_latency
from framelift.benchmarks.speed.overhead import measure_overhead
from framelift.benchmarks.speed.realtime import measure_realtime
from framelift.benchmarks.speed.reuse import ReuseSettings, measure_reuse
from framelift.benchmarks.speed.stream import measure_stream
from framelift.benchmarks.speed.video import measure_video
from framelift.imaging.coding import parse_coding
from framelift.runtime.video.writing.encoders import EncoderOptions
from tests.support.reports import Json, as_json


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two smooth images, one of them grey."""
    folder = tmp_path_factory.mktemp("photos")
    small = np.random.default_rng(0).integers(0, 256, (12, 15, 3), np.uint8)
    image = cv2.resize(small, (60, 49), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(folder / "b.png"), image)
    cv2.imwrite(str(folder / "a.png"), image[:, :, 0])
    return folder


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 frames of 32×24."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "yuv420p"
        for _ in range(12):
            image = rng.integers(0, 256, (24, 32, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def pattern_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 8 frames of 96×72: a pattern that moves."""
    path = tmp_path_factory.mktemp("clips") / "pattern.mkv"
    y, x = np.mgrid[:72, :96]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", 25)
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv444p"
        for k in range(8):
            luma = 128 + 60 * np.sin((x + 2 * k) / 5) + 50 * np.cos((x - y) / 7)
            image = np.repeat(luma.astype(np.uint8)[..., None], 3, 2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def training_report(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """A report of three training steps."""
    pytest.importorskip("torch")
    from framelift.benchmarks.speed.training import TrainingSettings, measure_training

    folder = tmp_path_factory.mktemp("training")
    image = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    cv2.imwrite(str(folder / "photo.png"), image)
    settings = ["data.batch=2", "data.crop=32", "data.workers=1", "network.channels=4"]
    measured = TrainingSettings(device="cpu", threads=1, steps=3, warm_up=1)
    document = measure_training("realtime-small-x4", [folder], settings, measured)
    assert list(folder.iterdir()) == [folder / "photo.png"]  # nothing is written
    return as_json(document)


ONE_THREAD = Placement(threads=1)
FOOTAGE = FootageSettings(
    (parse_coding("x264:20"), parse_coding("mpeg4:12")), first=1, count=6, threads=1
)


@pytest.fixture(scope="session")
def reports(
    shuffle_model_path: Path,
    nearest_model_path: Path,
    photo_folder: Path,
    clip: Path,
    pattern_clip: Path,
) -> dict[str, Json]:
    """A report of each kind but training, which needs PyTorch, by kind."""
    grid = GridSettings(
        ((32, 24),),
        backends=("onnx-cpu",),
        rivals=("ort-numpy",),
        threads=1,
        seconds=0,
        iterations=4,
        fresh=False,
    )
    one = LatencySettings(32, 24, backend="onnx-cpu", threads=1, seconds=0, iterations=4)
    live = LatencySettings(136, 16, backend="onnx-cpu", threads=1, seconds=0.15)
    video = measure_video(
        nearest_model_path, clip, EncoderOptions("ffv1"), rounds=2, placement=ONE_THREAD
    )
    measured = {
        "latency": measure_latency([shuffle_model_path], grid),
        "overhead": measure_overhead(shuffle_model_path, one),
        "quality": measure_quality(shuffle_model_path, photo_folder, ONE_THREAD),
        "video": video,
        "flicker": measure_flicker(nearest_model_path, clip, placement=ONE_THREAD),
        "reuse": measure_reuse(
            shuffle_model_path,
            (clip,),
            ReuseSettings((96, 64), 10, 1, codings=(parse_coding("x264:30"),), threads=1),
            lambda line: None,
        ),
        "footage": measure_footage([nearest_model_path], [pattern_clip], FOOTAGE),
        "stream": measure_stream(nearest_model_path, live, rates=(60.0,)),
        "pictures": make_pictures(nearest_model_path, [photo_folder], clip, ONE_THREAD),
        "espcn": measure_espcn([shuffle_model_path], one),
        "realtime": measure_realtime(
            [shuffle_model_path],
            clip,
            EncoderOptions("ffv1"),
            ONE_THREAD,
            seconds=0,
            rates=(1, 2000),
            sizes=((32, 24), (64, 48)),
        ),
    }
    return {kind: as_json(document) for kind, document in measured.items()}
