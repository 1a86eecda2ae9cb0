"""Models of several frames in clips: as many frames out as in, at their times, resumed or not."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import InputError
from framelift.runtime import Upscaler
from framelift.runtime.session.pending import Pending
from framelift.runtime.still import upscale_image
from framelift.runtime.temporal import Sequence
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.pipeline import Pipeline
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.reading.options import ReadOptions
from framelift.runtime.video.step import FrameStep
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import frame_times, make_clip
from ...support.waiting import wait_until

BASE = Fraction(1, 30000)
QUICK = EncoderOptions(preset="ultrafast", crf=5)
VFR = [0, 1001, 2002, 5005, 6006, 6007, 9000, 20000, 40001, 41000, 41500, 43000, 50000]


def moving(count: int, seed: int = 0) -> list[Image]:
    """One scene: a picture that moves a pixel a frame."""
    rng = np.random.default_rng(seed)
    still = rng.integers(20, 230, (8, 24, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    return [np.ascontiguousarray(still[:48, k : k + 64]) for k in range(count)]


@pytest.fixture
def upscaler(tmp_path: Path, tiny_models: ModuleType) -> Iterator[Upscaler]:
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    with Upscaler.load(path, "onnx-cpu") as upscaler:
        yield upscaler


class Sink:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, NDArray[np.uint8]]] = []

    def write(self, frame: Frame) -> None:
        self.frames.append((frame.pts, frame.bgr.copy()))

    def finish(self) -> None:
        pass


def slowly(frames: list[Image], seconds: float) -> Iterator[Frame]:
    for number, image in enumerate(frames):
        time.sleep(seconds)
        yield Frame(image.copy(), number, BASE, 1)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
@pytest.mark.parametrize("count", [1, 2, 4, 20])
def test_a_pipeline_gives_each_frame_with_those_around_it(
    upscaler: Upscaler, tiny_models: ModuleType, count: int, seconds: float
) -> None:
    frames = moving(count)
    sink = Sink()
    stats = Pipeline(slowly(frames, seconds), upscaler, sink).run()
    assert (stats.frames_decoded, stats.frames_written) == (count, count)
    assert [pts for pts, _ in sink.frames] == list(range(count))
    got = np.stack([picture for _, picture in sink.frames]).astype(int)
    assert np.abs(got - tiny_models.windowed(np.stack(frames), 2)).max() <= 1


def test_frames_are_out_as_soon_as_those_ahead_have_come(upscaler: Upscaler) -> None:
    """A source that pauses: what needs nothing more is written meanwhile, and nothing else."""
    written: list[int] = []
    seen: list[int] = []

    class Watching(Sink):
        def write(self, frame: Frame) -> None:
            written.append(frame.pts)

    def pausing() -> Iterator[Frame]:
        for number, image in enumerate(moving(8)):
            if number == 5:
                wait_until(lambda: len(written) >= 3, "three frames")
                time.sleep(0.1)  # were more written, they would be here
                seen.extend(written)
            yield Frame(image, number, BASE, 1)

    Pipeline(pausing(), upscaler, Watching()).run()
    assert seen == [0, 1, 2]
    assert written == list(range(8))


def test_a_live_pipeline_ends_well(upscaler: Upscaler) -> None:
    sink = Sink()
    stats = Pipeline(slowly(moving(20), 0.002), upscaler, sink, live=True).run()
    assert stats.frames_written == stats.frames_decoded - stats.frames_dropped
    assert [pts for pts, _ in sink.frames] == sorted(pts for pts, _ in sink.frames)
    assert sink.frames[-1][0] == 19


def test_clips_keep_number_and_times_and_follow_each_other(
    tmp_path: Path, upscaler: Upscaler
) -> None:
    """The second clip sees nothing of the first, though one upscaler makes both."""
    first = make_clip(tmp_path / "a.mp4", moving(13), pts=VFR)
    shutil.copy(first, tmp_path / "b.mp4")
    for name in ("a", "b"):
        target = tmp_path / f"{name}-out.mp4"
        result = upscale_video(tmp_path / f"{name}.mp4", target, upscaler, QUICK, quiet=True)
        assert result.stats.frames_written == 13
        assert frame_times(target) == frame_times(first)
    made = []
    for name in ("a", "b"):
        with FileSource(tmp_path / f"{name}-out.mp4") as source:
            made.append([frame.bgr.tobytes() for frame in source])
    assert made[0] == made[1]


class Failing:
    """Runs windows on an upscaler until the n-th."""

    def __init__(self, upscaler: Upscaler, after: int, written: list[int]) -> None:
        self._upscaler, self.left = upscaler, after
        self._written, self._goal = written, len(written) + after - 3
        self.scale, self.window, self.lookahead, self.depth = 2, 5, 2, 8

    def __call__(self, frame: Image, out: Image | None = None) -> Image:
        raise NotImplementedError

    def sequence(self) -> Sequence:
        return Sequence(self)

    def submit_window(self, frames: Image, out: Image) -> Pending:
        self.left -= 1
        if self.left < 0:
            # The last ones may still be in a queue.
            wait_until(lambda: len(self._written) >= self._goal, f"{self._goal} frames written")
            raise InputError("interrupted")
        return self._upscaler.submit_window(frames, out)


@pytest.mark.parametrize("after", [6, 11, 12, 13, 21])
def test_resumed_equals_uninterrupted(
    tmp_path: Path, upscaler: Upscaler, written: list[int], after: int
) -> None:
    """Runs end anywhere in a scene, just behind and just before a cut."""
    source = make_clip(tmp_path / "in.mp4", [*moving(12), *moving(16, seed=1)])
    # Kept however long that takes beside making them.
    options = ConvertOptions(resume="model", segment_frames=5, keeping_share=1e9)
    whole, parted = tmp_path / "whole.mp4", tmp_path / "parted.mp4"
    upscale_video(source, whole, upscaler, QUICK, options, quiet=True)
    failing = Failing(upscaler, after, written)
    with pytest.raises(InputError, match="interrupted"):
        upscale_video(source, parted, failing, QUICK, options, quiet=True)
    result = upscale_video(source, parted, upscaler, QUICK, options, quiet=True, say=lambda _: None)
    assert after - 3 <= result.frames_resumed <= after
    assert result.stats.frames_written + result.frames_resumed == 28
    assert parted.read_bytes() == whole.read_bytes()


def test_a_source_gives_frames_before_the_first_as_context(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", moving(8))
    with FileSource(path, ReadOptions(after_pts=3 * 1001, context=2)) as source:
        given = [(frame.pts // 1001, frame.is_context) for frame in source]
    assert given == [(2, True), (3, True), *((n, False) for n in range(4, 8))]
    with FileSource(path, ReadOptions(after_pts=7 * 1001, context=2)) as source:
        assert not list(source)


def test_an_image_is_a_still(tmp_path: Path, upscaler: Upscaler, tiny_models: ModuleType) -> None:
    image = moving(1)[0]
    cv2.imwrite(str(tmp_path / "in.png"), image)
    step = FrameStep(upscaler)
    upscale_image(tmp_path / "in.png", tmp_path / "out.png", step.once, say=lambda _: None)
    big = cv2.imread(str(tmp_path / "out.png"))
    assert big is not None
    assert np.abs(big.astype(int) - tiny_models.nearest(image, 2)).max() <= 1
