"""The native backend on simulated libraries: order of copies and waits, engines, errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.gpu.limits import GpuLimits
from framelift.runtime.gpu.shapes import parse_profile
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.tensorrt import provide
from framelift.runtime.tensorrt.cache.folder import EngineCache
from framelift.runtime.tensorrt.cache.key import BuilderOptions
from framelift.runtime.tensorrt.make import make_engine
from framelift.runtime.tensorrt.phases import BuildProgress

from ...support.frames import noise, run, upscaled
from ...support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from framelift.runtime.backends.tensorrt import TensorrtSession
    from tests.support.simulated_cuda import Gpu

Frames = NDArray[np.uint8]


@pytest.fixture
def session(gpu: Gpu, spec: ModelSpec) -> Iterator[TensorrtSession]:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    session = TensorrtSession(spec)
    yield session
    session.close()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("version", ["10.16.1.11", "11.4.0.106"])
def test_every_order_of_streams_gives_the_right_frames(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    spec: ModelSpec,
    tmp_path: Path,
    seed: int,
    version: str,
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed), version)
    limits = GpuLimits(band_bytes=500)
    session = TensorrtSession(spec, cache=EngineCache(tmp_path), limits=limits)
    for index, (count, height, width) in enumerate(
        [(5, 9, 7), (1, 9, 7), (5, 9, 7), (2, 6, 8), (3, 9, 7), (1, 20, 3), (4, 9, 7)]
    ):
        frames = noise(count, height, width, seed=index)
        assert np.array_equal(run(session, frames), upscaled(frames))
    session.close()
    assert not gpu.live


def test_upscaler_runs_on_it(gpu: Gpu, nearest_model_path: Path) -> None:
    with Upscaler.load(nearest_model_path, "tensorrt") as upscale:
        frame = noise(33, 21)
        assert np.array_equal(upscale(frame), upscaled(frame))
        described = upscale.describe()
    assert described["device"] == "Simulated GPU"
    assert described["engine"] == "TensorRT 11.4.0.106"
    assert described["shapes"] == "1x33x21"
    assert not gpu.live


@pytest.mark.parametrize(("named", "lines"), [("Float", 0), ("Opaque", 1)])
def test_engine_whose_precision_is_not_verified_is_said_at_every_load(
    gpu: Gpu, shuffle_model_path: Path, capsys: pytest.CaptureFixture[str], named: str, lines: int
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    gpu.inspected_type = named
    for _ in ("built", "from the cache"):
        session = TensorrtSession(read_spec(shuffle_model_path))
        run(session, noise(1, 9, 7))
        run(session, noise(1, 9, 7))
        session.close()
        said = "precision of tiny-shuffle not verified: the inspector names none of 3 convolutions"
        assert capsys.readouterr().err.count(said) == lines


def test_graph_is_captured_after_one_run_and_then_used(
    gpu: Gpu,
    session: TensorrtSession,
) -> None:
    frames = noise(1, 9, 7)
    for _ in range(4):
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert gpu.launches == ["enqueue", "capture", "graph", "graph", "graph"]
    assert session.describe()["cuda_graph"] == "yes"


def test_time_of_each_stage_is_taken_for_each_part(gpu: Gpu, session: TensorrtSession) -> None:
    assert session.stage_seconds == {"copy in": 0, "inference": 0, "copy out": 0}
    run(session, noise(3, 9, 7))
    assert session.stage_seconds == pytest.approx(
        {"copy in": 0.006, "inference": 0.006, "copy out": 0.006}
    )


def test_time_of_the_build_is_known_from_the_cache_too(
    gpu: Gpu, shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    describe = provide.describe
    monkeypatch.setattr(
        provide, "describe", lambda *facts: replace(describe(*facts), build_seconds=12.5)
    )
    for _ in ("built", "from the cache"):
        session = TensorrtSession(read_spec(shuffle_model_path))
        assert session.build_seconds == 0
        run(session, noise(1, 9, 7))
        assert session.build_seconds == 12.5
        session.close()


def test_refused_capture_is_said_and_done_without(
    gpu: Gpu,
    session: TensorrtSession,
) -> None:
    gpu.captures_fail = True
    frames = noise(1, 9, 7)
    for _ in range(3):
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert gpu.launches == ["enqueue", "capture", "enqueue", "enqueue"]
    assert "cudaErrorStreamCaptureUnsupported" in str(session.describe()["cuda_graph"])


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("create_execution_context", "TensorRT cannot make an execution context"),
        ("set_optimization_profile_async", "the engine's profile cannot be chosen"),
        ("set_input_shape", "the engine does not take frames of 1x9x7"),
        ("update_device_memory_size_for_shapes", "TensorRT does not report the memory for frames"),
        ("set_tensor_address", "TensorRT does not take the address of frames"),
        ("execute_async_v3", "TensorRT failed to run the engine"),
    ],
)
def test_a_call_that_tensorrt_refuses_is_an_error_with_its_reason(
    gpu: Gpu, session: TensorrtSession, call: str, what: str
) -> None:
    gpu.refuses = {call}
    with pytest.raises(
        BackendError,
        match=rf"^tensorrt failed: {what}.*: IExecutionContext::{call}: Error Code 4$",
    ):
        run(session, noise(1, 9, 7))
    gpu.refuses = set()
    assert np.array_equal(run(session, noise(1, 9, 7)), upscaled(noise(1, 9, 7)))


def test_other_threads_may_take_memory_while_a_graph_is_recorded(
    gpu: Gpu, session: TensorrtSession
) -> None:
    """As a second session, an encoder or PyTorch does: only what this thread does is recorded."""
    taken: list[int] = []
    gpu.during_capture = lambda: taken.append(gpu.others_allocate())
    frames = noise(1, 9, 7)
    for _ in range(3):
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert taken == [0]
    assert session.describe()["cuda_graph"] == "yes"


def test_a_recording_that_is_broken_is_said_and_done_without(
    gpu: Gpu, session: TensorrtSession
) -> None:
    gpu.during_capture = lambda: gpu.allocate(1)  # by the recording thread itself
    frames = noise(1, 9, 7)
    for _ in range(3):
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert gpu.launches == ["enqueue", "capture", "enqueue", "enqueue"]
    assert "cudaErrorStreamCaptureInvalidated" in str(session.describe()["cuda_graph"])


def test_steady_state_allocates_nothing_on_the_gpu(
    gpu: Gpu,
    session: TensorrtSession,
) -> None:
    for _ in range(2):
        run(session, noise(4, 9, 7))
    held = set(gpu.live)
    for _ in range(3):
        run(session, noise(4, 9, 7))
    assert set(gpu.live) == held


def test_one_engine_for_each_size_then_one_for_all(
    gpu: Gpu,
    session: TensorrtSession,
) -> None:
    for height in (40, 48, 50, 41, 60):
        frames = noise(1, height, 32)
        assert np.array_equal(run(session, frames), upscaled(frames))
    shapes = [build["shapes"] for build in gpu.builds]
    assert shapes == [
        ((1, 40, 32, 3),) * 3,
        ((1, 20, 16, 3), (1, 48, 32, 3), (1, 60, 40, 3)),
    ]


def test_memory_of_old_sizes_is_freed(gpu: Gpu, session: TensorrtSession) -> None:
    run(session, noise(1, 40, 32))
    run(session, noise(1, 48, 32))
    held = len(gpu.live)
    for height in (49, 50, 51, 52):
        run(session, noise(1, height, 32))
    assert len(gpu.live) == held


def test_engine_is_found_again_by_the_next_session(
    gpu: Gpu,
    session: TensorrtSession,
    spec: ModelSpec,
) -> None:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    run(session, noise(1, 9, 7))
    other = TensorrtSession(spec)
    run(other, noise(3, 9, 7))
    assert len(gpu.builds) == 1
    changed = TensorrtSession(spec, options=BuilderOptions(level=5))
    run(changed, noise(1, 9, 7))
    assert [build["level"] for build in gpu.builds] == [3, 5]
    other.close()
    changed.close()


def test_batch_engine_from_the_cache_runs_whole_parts(
    gpu: Gpu,
    session: TensorrtSession,
    spec: ModelSpec,
) -> None:
    profile = parse_profile("1x9x7:4x9x7:4x9x7")
    make_engine(spec, profile, BuilderOptions(), BuildProgress("test", quiet=True))
    frames = noise(7, 9, 7)
    assert np.array_equal(run(session, frames), upscaled(frames))
    assert len(gpu.builds) == 1
    assert gpu.launches == ["enqueue", "enqueue"]


def test_gpu_memory_that_runs_out(gpu: Gpu, session: TensorrtSession) -> None:
    run(session, noise(1, 9, 7))
    gpu.memory_limit = gpu.used() + 2000
    with pytest.raises(BackendError, match=r"tensorrt failed: cudaMalloc.*smaller tiles"):
        run(session, noise(1, 40, 40))
    frames = noise(1, 9, 7)
    assert np.array_equal(run(session, frames), upscaled(frames))


def test_interrupted_run_leaves_nothing_under_way(
    gpu: Gpu,
    session: TensorrtSession,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(session, noise(3, 9, 7))

    copies = iter(range(9))

    def interrupt(target: Frames, source: Frames) -> None:
        if next(copies) == 2:  # two parts are queued, none has come back
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("framelift.runtime.gpu.runner.np.copyto", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(session, noise(3, 9, 7))
    assert all(not stream.queue for stream in gpu.streams.values())
    frames = noise(3, 9, 7, seed=5)
    assert np.array_equal(run(session, frames), upscaled(frames))


def test_closing_the_session_ends_a_build_in_another_thread(
    gpu: Gpu, session: TensorrtSession
) -> None:
    under_way, ended = threading.Event(), threading.Event()
    errors: list[BackendError] = []

    def build_until_cancelled() -> None:
        under_way.set()
        building = session._building
        while building is not None and not building.cancelled:
            ended.wait(0.01)

    def first_frame() -> None:
        try:
            run(session, noise(1, 9, 7))
        except BackendError as error:
            errors.append(error)

    gpu.during_build = build_until_cancelled
    thread = threading.Thread(target=first_frame)
    thread.start()
    assert under_way.wait(PATIENCE_S)
    session.close()
    thread.join(PATIENCE_S)
    assert [str(error) for error in errors] == [
        "TensorRT 11.4.0.106 cannot build tiny-nearest for 1x9x7: the build was cancelled"
    ]


def test_damaged_plan_never_reaches_tensorrt(
    gpu: Gpu,
    session: TensorrtSession,
    spec: ModelSpec,
    tmp_path: Path,
) -> None:
    run(session, noise(1, 9, 7))
    (engine,) = (tmp_path / "cache").rglob("*.engine")
    engine.write_bytes(engine.read_bytes()[:-3])
    from framelift.runtime.backends.tensorrt import TensorrtSession

    again = TensorrtSession(spec)
    run(again, noise(1, 9, 7))
    assert len(gpu.builds) == 2
    again.close()
