"""Frames under way on a simulated GPU: the next one is copied while this one is computed."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError, FrameError
from framelift.runtime import Upscaler
from framelift.runtime.gpu.limits import GpuLimits
from framelift.runtime.models.file import read_spec
from framelift.runtime.session.pending import Pending
from framelift.runtime.video.clip.frame import Frame
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.pipeline import Pipeline
from framelift.runtime.video.step import FrameStep

from ...support.frames import noise, room, upscaled
from ...support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu

Frames = NDArray[np.uint8]


class Sink:
    """Takes frames and forgets them."""

    def write(self, frame: Frame) -> None:
        """Nothing to do."""

    def finish(self) -> None:
        """Nothing to complete."""


@pytest.fixture
def upscale(gpu: Gpu, nearest_model_path: Path) -> Iterator[Upscaler]:
    with Upscaler.load(nearest_model_path, "tensorrt") as upscaler:
        yield upscaler


@pytest.mark.parametrize("seed", range(8))
def test_every_order_of_streams_gives_the_right_frames(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    nearest_model_path: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed))
    spec = read_spec(nearest_model_path)
    session = TensorrtSession(spec, limits=GpuLimits(band_bytes=500))
    sizes = [(9, 7)] * 5 + [(6, 8)] * 2 + [(9, 7)] * 3 + [(20, 3), (9, 7)]
    with Upscaler(spec, session) as upscale:
        submitted = []
        for index, size in enumerate(sizes):
            frame = noise(*size, seed=index)
            pending = upscale.submit(frame, room(frame))
            submitted.append((pending, upscaled(frame)))
            frame[...] = 0  # as the source does, which uses its buffers again
            if index == 7:  # a plain call between them
                other = noise(9, 7, seed=99)
                assert np.array_equal(upscale(other), upscaled(other))
        for pending, expected in submitted:
            assert np.array_equal(pending.result(), expected)
    assert not gpu.live


def _note(
    monkeypatch: pytest.MonkeyPatch, order: list[str], before: Callable[[], None] = lambda: None
) -> None:
    """Write down when a session starts a frame and when it is waited for."""
    from framelift.runtime.backends.tensorrt import TensorrtSession

    start = TensorrtSession.start

    def noted(session: TensorrtSession, frames: Frames, out: Frames) -> Callable[[], None]:
        before()
        order.append("submit")
        wait = start(session, frames, out)

        def noted_wait() -> None:
            order.append("collect")
            wait()

        return noted_wait

    monkeypatch.setattr(TensorrtSession, "start", noted)


def test_two_frames_are_under_way_at_most(gpu: Gpu, upscale: Upscaler) -> None:
    frames = [noise(9, 7, seed=seed) for seed in range(4)]
    first, second = (upscale.submit(frame, room(frame)) for frame in frames[:2])
    assert len(gpu.launches) == 2  # neither was waited for
    assert not first.done
    third = upscale.submit(frames[2], room(frames[2]))
    assert first.done
    assert not second.done
    assert np.array_equal(third.result(), upscaled(frames[2]))
    assert second.done
    assert np.array_equal(first.result(), upscaled(frames[0]))


def test_the_pipeline_submits_a_frame_before_it_waits_for_the_last(
    gpu: Gpu, upscale: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    all_are_queued = threading.Event()

    def wait_until_queued() -> None:
        assert all_are_queued.wait(PATIENCE_S)

    _note(monkeypatch, order, wait_until_queued)
    pool = FramePool()

    def source() -> Iterator[Frame]:
        for number in range(6):
            image = pool.take((9, 7, 3))
            image[...] = noise(9, 7, seed=number)
            yield Frame(image, number, Fraction(1, 30), 1)
        all_are_queued.set()

    class Sink:
        right: ClassVar[list[bool]] = []

        def write(self, frame: Frame) -> None:
            self.right.append(np.array_equal(frame.bgr, upscaled(noise(9, 7, seed=frame.pts))))

        def finish(self) -> None:
            """All is checked as it comes."""

    Pipeline(source(), upscale, Sink(), pool=pool, queue_frames=6).run()
    assert Sink.right == [True] * 6
    assert order == ["submit", *["submit", "collect"] * 5, "collect"]


def test_the_pipeline_waits_for_no_further_frame(upscale: Upscaler) -> None:
    """A camera's next frame comes later: the last one is not kept back for it."""
    written = threading.Semaphore(0)

    def source() -> Iterator[Frame]:
        for number in range(3):
            yield Frame(noise(9, 7, seed=number), number, Fraction(1, 30), 1)
            assert written.acquire(timeout=PATIENCE_S)

    class Sink:
        def write(self, frame: Frame) -> None:
            written.release()

        def finish(self) -> None:
            """Nothing to complete."""

    assert Pipeline(source(), upscale, Sink()).run().frames_written == 3


def test_sizes_other_than_the_models_own(upscale: Upscaler) -> None:
    """Two frames under way need an array each before they are resized."""
    frames = [noise(8, 8, seed=seed) for seed in range(3)]
    step = FrameStep(upscale, factor=Fraction(2), compare=True)
    outs = [np.empty(step.output_shape(frame), np.uint8) for frame in frames]
    pendings = [step.submit(frame, out) for frame, out in zip(frames, outs, strict=True)]
    for frame, pending in zip(frames, pendings, strict=True):
        # Each 2×2 of 4×4 equal pixels: half the size is the frame twice as large.
        assert np.array_equal(pending.result()[:, 16:], frame.repeat(2, 0).repeat(2, 1))


def test_memory_that_runs_out_makes_tiles_smaller(
    gpu: Gpu, upscale: Upscaler, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = noise(64, 64)
    gpu.memory_limit = gpu.used() + 90_000  # the frame's four buffers take 104 KB
    pending = upscale.submit(frame, room(frame))
    assert pending.done
    assert np.array_equal(pending.result(), upscaled(frame))
    (line,) = capsys.readouterr().err.splitlines()
    assert "out of memory; frames are now run in tiles of" in line
    assert upscale.submit(frame, room(frame)).done


def test_a_frame_that_was_lost_is_never_handed_out(
    upscale: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelift.runtime.tensorrt.context import EngineContext

    frame = noise(9, 7)
    first = upscale.submit(frame, room(frame))

    def fails(context: EngineContext, source: int, target: int) -> None:
        raise BackendError("TensorRT failed to run the engine")

    with monkeypatch.context() as patch:
        patch.setattr(EngineContext, "launch", fails)
        with pytest.raises(BackendError, match="failed to run the engine"):
            upscale.submit(frame, room(frame))
    with pytest.raises(BackendError, match="this frame was lost"):
        first.result()
    again = upscale.submit(frame, room(frame))
    assert np.array_equal(again.result(), upscaled(frame))


@pytest.mark.parametrize("seed", range(4))
def test_tiles_are_copied_beside_computation_as_whole_frames_are(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    nearest_model_path: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed))
    order: list[str] = []
    _note(monkeypatch, order)
    frame = noise(20, 33)
    with Upscaler.load(nearest_model_path, "tensorrt", tile=16) as upscale:
        assert np.array_equal(upscale(frame), upscaled(frame))
        assert order == ["submit", "submit", *["collect", "submit"] * 4, "collect", "collect"]


def test_tiles_that_were_interrupted_are_not_the_next_frames(
    gpu: Gpu, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelift.runtime.tiling import TileRunner

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    frame, other = noise(20, 33), noise(20, 33, seed=1)
    with Upscaler.load(nearest_model_path, "tensorrt", tile=16) as upscale_tiles:
        with monkeypatch.context() as patch:
            patch.setattr(TileRunner, "_place", interrupt)
            with pytest.raises(KeyboardInterrupt):
                upscale_tiles(other)
        assert np.array_equal(upscale_tiles(frame), upscaled(frame))


def test_threads_share_what_is_under_way(upscale: Upscaler) -> None:
    def is_right(seed: int) -> bool:
        frame = noise(9, 7, seed=seed)
        return np.array_equal(upscale.submit(frame, room(frame)).result(), upscaled(frame))

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(is_right, range(60)))


@pytest.mark.parametrize("seed", range(6))
def test_pinned_frames_are_copied_by_the_gpu_alone(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    nearest_model_path: Path,
    tmp_path: Path,
    seed: int,
) -> None:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed))

    def copied(*_: object) -> None:
        raise AssertionError("the processor copied a frame")

    with Upscaler.load(nearest_model_path, "tensorrt") as upscale:
        frames = [upscale.empty((9, 7, 3)) for _ in range(3)]
        outs = [upscale.empty((36, 28, 3)) for _ in range(3)]
        with monkeypatch.context() as patch:
            patch.setattr("framelift.runtime.gpu.runner.np.copyto", copied)
            under_way = deque[tuple[Pending, Frames]]()
            for number in range(9):  # an array is used again as soon as it may be
                frame, out = frames[number % 3], outs[number % 3]
                frame[...] = expected = noise(9, 7, seed=number)
                under_way.append((upscale.submit(frame, out), expected))
                frame[...] = 0
                if number:
                    pending, expected = under_way.popleft()
                    assert np.array_equal(pending.result(), upscaled(expected))
            under_way.popleft()[0].result()
            frames[0][...] = expected = noise(9, 7, seed=99)
            assert np.array_equal(upscale(frames[0], outs[0]), upscaled(expected))
        # Whichever of the two does not lie there is copied once more.
        for frame, out in ((frames[0], room(frames[0])), (frames[0].copy(), outs[1])):
            assert np.array_equal(upscale(frame, out), upscaled(expected))
        columns = upscale.empty((36, 56, 3))[:, ::2]
        assert np.array_equal(upscale(columns[::4, ::4], outs[0]), upscaled(columns[::4, ::4]))
    assert np.array_equal(outs[1], upscaled(expected))  # still valid, and freed with the last one
    assert gpu.live
    del frames, outs, frame, out, columns, pending
    assert not gpu.live


def test_the_pipeline_s_frames_lie_pinned(upscale: Upscaler) -> None:
    from framelift.runtime.gpu.memory import lies_pinned

    step = FrameStep(upscale)
    assert lies_pinned(step.pool().take((9, 7, 3)))
    pipeline = Pipeline([], upscale, Sink())
    assert lies_pinned(pipeline._output_pool.take((36, 28, 3)))


def test_no_frame_of_a_pipeline_is_copied_by_the_processor(
    upscale: Upscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copied(*_: object) -> None:
        raise AssertionError("the processor copied a frame")

    step = FrameStep(upscale)
    pool = step.pool()

    def source() -> Iterator[Frame]:
        for number in range(12):
            image = pool.take((9, 7, 3))
            image[...] = noise(9, 7, seed=number)
            yield Frame(image, number, Fraction(1, 30), 1)

    class Checking(Sink):
        right: ClassVar[list[bool]] = []

        def write(self, frame: Frame) -> None:
            self.right.append(np.array_equal(frame.bgr, upscaled(noise(9, 7, seed=frame.pts))))

    monkeypatch.setattr("framelift.runtime.gpu.runner.np.copyto", copied)
    Pipeline(source(), step, Checking(), pool=pool).run()
    assert Checking.right == [True] * 12


def test_without_page_locked_memory_arrays_are_ordinary(gpu: Gpu, upscale: Upscaler) -> None:
    gpu.memory_limit = gpu.used() + 100
    frame = upscale.empty((9, 7, 3))
    gpu.memory_limit = 1 << 30
    frame[...] = noise(9, 7)
    assert np.array_equal(upscale(frame), upscaled(frame))


def test_the_budget_is_that_of_the_gpu(
    gpu: Gpu, nearest_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    def budget(gpu_free_bytes: int | None) -> int:
        asked.append(gpu_free_bytes)
        return 1 << 30

    monkeypatch.setattr("framelift.runtime.execution.activation_budget", budget)
    gpu.memory_limit = 8 << 30
    Upscaler.load(nearest_model_path, "tensorrt").close()
    Upscaler.load(nearest_model_path, "onnx-cpu").close()
    assert asked == [8 << 30, None]


def test_closing_drops_what_is_under_way(gpu: Gpu, upscale: Upscaler) -> None:
    frame = noise(9, 7)
    pending = upscale.submit(frame, room(frame))
    upscale.close()
    assert not gpu.live
    with pytest.raises(BackendError, match="lost"):
        pending.result()
    with pytest.raises(BackendError, match="closed"):
        upscale.submit(frame, room(frame))


def test_frames_that_cannot_be_submitted(upscale: Upscaler) -> None:
    frame = noise(9, 7)
    with pytest.raises(FrameError, match="one frame"):
        upscale.submit(frame[None], room(frame)[None])
    with pytest.raises(FrameError, match="expected uint8 36×28×3"):
        upscale.submit(frame, np.empty((9, 7, 3), np.uint8))
