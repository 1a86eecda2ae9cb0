"""The pipeline: order, bounds, reuse, and an end to everything that goes wrong."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import InputError, OutputError
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.pipeline import Pipeline
from framelift.runtime.video.stats import LatencyHistogram, PipelineStats
from framelift.runtime.video.whole_file import upscale_video

from ...support.clips import Nearest, make_clip, noise
from ...support.waiting import wait_until

QUEUE = 4


class Numbers:
    """A source of small frames that carry their number."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.pool = FramePool()
        self.count = count
        self.fail_at = fail_at
        self.made = 0

    def __iter__(self) -> Iterator[Frame]:
        for number in range(self.count):
            if number == self.fail_at:
                raise InputError("the source broke")
            image = self.pool.take((4, 6, 3))
            image[...] = number % 256
            self.made += 1
            yield Frame(image, number, Fraction(1, 30), 1)


class Collector:
    """A sink that remembers what came."""

    def __init__(self, fail_at: int | None = None, delay_seconds: float = 0) -> None:
        self.seen: list[tuple[int, int]] = []
        self.fail_at = fail_at
        self.delay_seconds = delay_seconds
        self.finished = False

    def write(self, frame: Frame) -> None:
        if frame.pts == self.fail_at:
            raise OutputError("the sink broke")
        time.sleep(self.delay_seconds)
        assert frame.bgr.shape == (8, 12, 3)
        self.seen.append((frame.pts, int(frame.bgr[0, 0, 0])))

    def finish(self) -> None:
        self.finished = True


class Broken(Nearest):
    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        if self.calls == 5:
            raise ValueError("the network broke")
        return super().__call__(frame, out)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = threading.active_count()
    yield
    wait_until(lambda: threading.active_count() <= before, "the end of all threads")


def test_every_frame_arrives_once_and_in_order() -> None:
    source, sink = Numbers(200), Collector()
    stats = Pipeline(source, Nearest(), sink, pool=source.pool).run()
    assert sink.seen == [(n, n % 256) for n in range(200)]
    assert sink.finished
    assert stats.frames_decoded == stats.frames_upscaled == stats.frames_written == 200


def test_buffers_are_used_again() -> None:
    source = Numbers(300)
    pipeline = Pipeline(source, Nearest(), Collector(), pool=source.pool, queue_frames=QUEUE)
    pipeline.run()
    # In each queue, and one in the hands of each neighbour.
    assert source.pool.allocated <= QUEUE + 2
    assert pipeline._output_pool.allocated <= QUEUE + 2


def test_a_slow_sink_holds_the_source_back() -> None:
    source, sink = Numbers(100), Collector(delay_seconds=0.005)
    ahead: list[int] = []

    def look(stats: PipelineStats) -> None:
        ahead.append(source.made - len(sink.seen))

    Pipeline(source, Nearest(), sink, pool=source.pool, queue_frames=QUEUE).run(look)
    assert max(ahead) <= 2 * QUEUE + 4


@pytest.mark.parametrize(
    ("source", "upscaler", "sink", "message"),
    [
        (Numbers(500, fail_at=20), Nearest(), Collector(), "the source broke"),
        (Numbers(500), Broken(), Collector(), "the network broke"),
        (Numbers(500), Nearest(), Collector(fail_at=20), "the sink broke"),
        (Numbers(500, fail_at=0), Nearest(), Collector(), "the source broke"),
    ],
)
def test_the_first_error_stops_all_and_is_raised(
    source: Numbers, upscaler: Nearest, sink: Collector, message: str
) -> None:
    with pytest.raises((InputError, OutputError, ValueError), match=message):
        Pipeline(source, upscaler, sink, pool=source.pool).run()
    assert not sink.finished
    assert source.made < 500


def test_an_exception_in_the_waiting_thread_stops_all_though_a_stage_is_stuck() -> None:
    stuck = threading.Event()

    class Stuck(Nearest):
        def __call__(self, frame: Image, out: Image | None = None) -> Image:
            stuck.wait()
            return super().__call__(frame, out)

    def interrupt(stats: PipelineStats) -> None:
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(Numbers(50), Stuck(), Collector()).run(interrupt)
    assert time.monotonic() - started < 20  # a second, and what a busy machine takes
    stuck.set()


@pytest.mark.parametrize("stage", ["source", "upscaler"])
def test_nothing_is_left_when_a_video_fails_midway(tmp_path: Path, stage: str) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(40), audio="aac")
    if stage == "source":
        data = bytearray(source.read_bytes())
        # Several packets long: within one, random bytes can be a picture that decodes well.
        middle = slice(len(data) // 2, len(data) // 2 + 2000)
        data[middle] = np.random.default_rng(0).bytes(2000)
        source.write_bytes(data)
    upscaler = Broken() if stage == "upscaler" else Nearest()
    with pytest.raises((InputError, ValueError)):
        upscale_video(source, tmp_path / "out.mp4", upscaler, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_statistics() -> None:
    stats = Pipeline(Numbers(60), Nearest(), Collector(delay_seconds=0.006)).run()
    facts = stats.as_dict()
    assert facts["frames"] == 60
    assert stats.fps == pytest.approx(60 / stats.wall_seconds)
    assert 60 * 0.006 < stats.busy_seconds["encode"] <= stats.wall_seconds
    assert stats.busy_seconds["encode"] > stats.busy_seconds["upscale"]


def test_percentiles_are_within_the_width_of_a_bin() -> None:
    histogram = LatencyHistogram()
    assert histogram.percentile_ms(50) == 0
    for milliseconds in range(1, 1001):
        histogram.add(milliseconds / 1000)
    for percent in (1, 50, 95, 99, 100):
        assert histogram.percentile_ms(percent) == pytest.approx(10 * percent, rel=0.02)
