"""Videos and streams come out the same with and without reuse."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from framelift.common.errors import Interrupted
from framelift.runtime import Upscaler
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.pipeline import Pipeline
from framelift.runtime.video.reading.file_source import FileSource
from framelift.runtime.video.step import FrameStep
from framelift.runtime.video.whole_file import ConvertOptions, upscale_video
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import make_clip
from ...support.waiting import wait_until
from .test_sequence import clip as frames_of_all_kinds

LOSSLESS = EncoderOptions("ffv1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reuse") / "clip.mkv"
    return make_clip(path, list(frames_of_all_kinds(48, 64)), codec="ffv1", pixel_format="bgr0")


def pictures(path: Path) -> list[tuple[int, bytes]]:
    with FileSource(path) as source:
        return [(frame.pts, frame.bgr.tobytes()) for frame in source]


@pytest.mark.parametrize(
    "options",
    [
        ConvertOptions(),
        ConvertOptions(factor=Fraction(5, 2)),
        ConvertOptions(compare=True),
        ConvertOptions(factor=Fraction(3), compare=True),
        ConvertOptions(resume="a model", segment_frames=7),
    ],
    ids=["plain", "resized", "compared", "both", "in segments"],
)
def test_a_video_has_the_same_pictures(
    tmp_path: Path, clip: Path, shuffle_model_path: Path, options: ConvertOptions
) -> None:
    made = []
    for reuse in (True, False):
        target = tmp_path / f"{reuse}.mkv"
        changed = ConvertOptions(**{**vars(options), "reuse": reuse})
        with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
            result = upscale_video(clip, target, upscaler, LOSSLESS, changed, quiet=True)
        assert (result.stats.reused_share > 0.3) == reuse
        assert result.stats.frames_written == 31
        made.append(pictures(target))
    assert made[0] == made[1]


def test_a_run_that_is_resumed_has_the_same_pictures(
    tmp_path: Path, clip: Path, shuffle_model_path: Path, written: list[int]
) -> None:
    def made(name: str, stop_after: int | None, *, reuse: bool) -> list[tuple[int, bytes]]:
        options = ConvertOptions(resume="a model", segment_frames=5, reuse=reuse)
        with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
            if stop_after is not None:
                submit, calls = upscaler.submit, iter(range(1000))

                def interrupted(frame: Image, out: Image) -> object:
                    if next(calls) == stop_after:
                        wait_until(lambda: len(written) >= 5, "a whole segment")
                        raise Interrupted("stopped; nothing is left", 130)
                    return submit(frame, out)

                upscaler.submit = interrupted  # type: ignore[method-assign,assignment]
                with pytest.raises(Interrupted):
                    upscale_video(clip, tmp_path / name, upscaler, LOSSLESS, options, quiet=True)
                upscaler.submit = submit  # type: ignore[method-assign]
            result = upscale_video(clip, tmp_path / name, upscaler, LOSSLESS, options, quiet=True)
        assert (result.frames_resumed > 0) == (stop_after is not None)
        return pictures(tmp_path / name)

    assert made("resumed.mkv", 9, reuse=True) == made("whole.mkv", None, reuse=False)


class Camera:
    """Gives frames faster than they are upscaled."""

    def __init__(self, frames: Image) -> None:
        self.pool = FramePool()
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        for number, picture in enumerate(self._frames):
            image = self.pool.take(picture.shape)
            np.copyto(image, picture)
            yield Frame(image, number, Fraction(1, 30), 1)
            time.sleep(0.004)


class Keeper:
    """Keeps what comes."""

    def __init__(self) -> None:
        self.seen: dict[int, Image] = {}

    def write(self, frame: Frame) -> None:
        time.sleep(0.01)
        self.seen[frame.pts] = frame.bgr.copy()

    def finish(self) -> None:
        """Nothing to complete."""


def test_a_live_source_of_which_frames_are_dropped(shuffle_model_path: Path) -> None:
    frames = np.repeat(frames_of_all_kinds(48, 64), 2, axis=0)
    camera, keeper = Camera(frames), Keeper()
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        pipeline = Pipeline(camera, upscaler, keeper, pool=camera.pool, live=True)
        stats = pipeline.run()
        assert stats.frames_dropped > 0
        assert stats.reused_share > 0
        for number, big in keeper.seen.items():
            assert np.array_equal(big, upscaler(frames[number]))
    assert len(keeper.seen) == stats.frames_written
    assert pipeline._output_pool.allocated <= 6


def test_results_that_are_still_being_written_are_left_alone(shuffle_model_path: Path) -> None:
    """A sink that is slow sees each picture as it was, though buffers are shared."""
    frames = frames_of_all_kinds(48, 64)
    wrong: list[int] = []
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        expected = [upscaler(frame) for frame in frames]

        class Slow(Keeper):
            def write(self, frame: Frame) -> None:
                for _ in range(3):
                    if not np.array_equal(frame.bgr, expected[frame.pts]):
                        wrong.append(frame.pts)
                    time.sleep(0.003)

        camera = Camera(frames)
        Pipeline(camera, upscaler, Slow(), pool=camera.pool).run()
    assert not wrong
    assert threading.active_count() >= 1


def test_reuse_can_be_turned_off(shuffle_model_path: Path) -> None:
    frame = frames_of_all_kinds(48, 64)[0]
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        for reuse in (True, False):
            step = FrameStep(upscaler, reuse=reuse)
            for _ in range(4):
                step.once(frame)
            assert step.reused_share == (0.75 if reuse else 0.0)
