"""Frames of the backend onnx-cuda are right in every order of streams, on a simulated GPU."""

from __future__ import annotations

import gc
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.backends.onnx_cuda import OnnxCudaSession
from framelift.runtime.gpu.limits import GpuLimits
from framelift.runtime.models.file import ModelSpec, read_spec
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.frames import noise, run, upscaled

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu
    from tests.support.simulated_ort import Sessions

Frames = NDArray[np.uint8]


@pytest.mark.parametrize("seed", range(12))
def test_every_order_of_streams_gives_the_right_frames(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    simulated_ort: ModuleType,
    spec: ModelSpec,
    seed: int,
) -> None:
    gpu = simulated_gpu.Gpu(seed)
    sessions = simulated_ort.install(monkeypatch, gpu)
    session = OnnxCudaSession(spec, limits=GpuLimits(band_bytes=500))
    for index, (count, height, width) in enumerate(
        [(5, 9, 7), (1, 9, 7), (5, 9, 7), (2, 6, 8), (3, 9, 7), (1, 20, 3), (4, 9, 7)]
    ):
        frames = noise(count, height, width, seed=index)
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert {"plain", "record", "replay"} == set(sessions.runs)
    assert sessions.waits == 0  # ONNX Runtime never waits: events do
    session.close()
    del session
    gc.collect()
    assert not gpu.live
    assert sessions.stream_outlived == [True]


def test_the_simulation_notices_a_missing_wait(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    simulated_ort: ModuleType,
    spec: ModelSpec,
) -> None:
    """What the test above stands on: without the events between streams, frames are wrong."""

    def right_without_waits(seed: int) -> bool:
        simulated_ort.install(monkeypatch, simulated_gpu.Gpu(seed))
        session = OnnxCudaSession(spec)
        from cuda.bindings import runtime

        done = runtime.cudaError_t.cudaSuccess
        monkeypatch.setattr(runtime, "cudaStreamWaitEvent", lambda *_: (done,))
        monkeypatch.setattr(runtime, "cudaEventElapsedTime", lambda *_: (done, 2.0))
        frames = noise(5, 9, 7, seed=seed)
        got = run(session, frames)
        session.close()
        return np.array_equal(got, upscaled(frames))

    assert not all(right_without_waits(seed) for seed in range(8))


def test_graphs_are_recorded_for_each_buffer_after_a_plain_run_and_replayed(
    sessions: Sessions, session: OnnxCudaSession
) -> None:
    frames = noise(1, 9, 7)
    seen = []
    for _ in range(4):
        assert np.array_equal(run(session, frames), upscaled(frames))
        seen.append(session.describe()["cuda_graph"])
    # ONNX Runtime itself runs twice more before it records, all within the second call.
    assert sessions.runs == ["plain", "plain", "plain", "record", "replay", "replay"]
    assert seen == ["after the next run", "yes", "yes", "yes"]


def test_callers_in_new_threads_replay_the_same_graphs(
    sessions: Sessions, session: OnnxCudaSession
) -> None:
    frames = noise(1, 9, 7)
    for _ in range(6):
        with ThreadPoolExecutor(1) as caller:
            assert np.array_equal(caller.submit(run, session, frames).result(), upscaled(frames))
    kinds = list(dict.fromkeys(sessions.runs))
    assert kinds == ["plain", "record", "replay"]
    assert sessions.runs[-2:] == ["replay", "replay"]


def test_a_size_that_comes_again_is_recorded_again_under_another_number(
    sessions: Sessions, session: OnnxCudaSession
) -> None:
    for round_ in range(3):
        for size in ((9, 7), (8, 8), (10, 6)):  # more sizes than memory is kept for
            for index in range(3):
                frames = noise(1, *size, seed=10 * round_ + index)
                assert np.array_equal(run(session, frames), upscaled(frames))
    assert sessions.runs.count("record") == 9


def test_graphs_that_are_never_freed_are_limited(sessions: Sessions, spec: ModelSpec) -> None:
    session = OnnxCudaSession(spec, limits=GpuLimits(graphs=2))
    for width in (5, 6, 7):
        for _ in range(3):
            frames = noise(1, 9, width)
            assert np.array_equal(run(session, frames), upscaled(frames))
    assert sessions.runs.count("record") == 2
    assert session.describe()["cuda_graph"] == "no: 2 were recorded for other sizes"
    session.close()


def test_a_recording_that_fails_is_said_and_done_without(
    gpu: Gpu, sessions: Sessions, session: OnnxCudaSession
) -> None:
    gpu.captures_fail = True
    for seed in range(3):
        frames = noise(1, 9, 7, seed=seed)
        assert np.array_equal(run(session, frames), upscaled(frames))
    graph = session.describe()["cuda_graph"]
    assert graph == "no: CUDA failure 900: operation not permitted"
    assert sessions.runs[-1] == "plain"


def test_a_model_that_allows_no_graphs_runs_without(
    gpu: Gpu, sessions: Sessions, spec: ModelSpec
) -> None:
    sessions.refuse_graphs = True
    session = OnnxCudaSession(spec)
    for _ in range(2):
        frames = noise(1, 9, 7)
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert "control flow nodes" in str(session.describe()["cuda_graph"])
    assert [("enable_cuda_graph" in options) for options in sessions.options] == [True, False]
    session.close()
    assert not gpu.live


def test_time_of_each_stage_is_taken_by_events(session: OnnxCudaSession) -> None:
    assert session.stage_seconds == {"copy in": 0, "inference": 0, "copy out": 0}
    run(session, noise(3, 9, 7))
    assert session.stage_seconds == pytest.approx(
        {"copy in": 0.006, "inference": 0.006, "copy out": 0.006}
    )


def test_steady_state_allocates_nothing_on_the_gpu(gpu: Gpu, session: OnnxCudaSession) -> None:
    for _ in range(2):
        run(session, noise(4, 9, 7))
    held = set(gpu.live)
    for _ in range(3):
        run(session, noise(4, 9, 7))
    assert set(gpu.live) == held


def test_gpu_memory_that_runs_out_means_smaller_tiles(
    gpu: Gpu, sessions: Sessions, nearest_model_path: Path
) -> None:
    said: list[str] = []
    with Upscaler.load(nearest_model_path, "onnx-cuda", say=said.append) as upscale:
        gpu.memory_limit = gpu.used() + 40_000
        frame = noise(40, 60)
        assert np.array_equal(upscale(frame), upscaled(frame))
    assert len(said) == 1
    assert "out of memory; frames are now run in tiles of" in said[0]
    assert not gpu.live


def test_the_provider_computes_on_the_stream_that_the_copies_wait_for(
    gpu: Gpu, sessions: Sessions, session: OnnxCudaSession
) -> None:
    (options,) = sessions.options
    assert options["device_id"] == "0"
    assert options["enable_cuda_graph"] == "1"
    assert int(options["user_compute_stream"]) in gpu.streams
    described = session.describe()
    assert described["copies"] == "pinned, on their own streams"
    assert described["layout"] == "NCHW"


def test_another_gpu_is_used_for_all_of_it(gpu: Gpu, sessions: Sessions, spec: ModelSpec) -> None:
    gpu.devices = 2
    session = OnnxCudaSession(spec, device=1)
    assert sessions.options[0]["device_id"] == "1"
    frames = noise(1, 9, 7)
    gpu.current_device = 0  # as in a thread that has not called CUDA yet
    assert np.array_equal(run(session, frames), upscaled(frames))
    assert gpu.current_device == 1
    session.close()


def test_a_gpu_that_is_not_there_is_named(gpu: Gpu, sessions: Sessions, spec: ModelSpec) -> None:
    with pytest.raises(BackendError, match=r"there is no GPU 3: 1 can be seen, numbered from 0"):
        OnnxCudaSession(spec, device=3)
    assert not gpu.live


def test_another_upscaler_waits_while_a_graph_is_recorded(
    sessions: Sessions, nearest_model_path: Path
) -> None:
    """ONNX Runtime records in CUDA's global mode: memory taken by any thread would end it."""
    waited: list[bool] = []
    with (
        Upscaler.load(nearest_model_path, "onnx-cuda") as first,
        Upscaler.load(nearest_model_path, "onnx-cuda") as second,
        ThreadPoolExecutor(2) as threads,
    ):

        def another_starts() -> None:
            sessions.during_recording = lambda: None
            other = threads.submit(second, noise(20, 30, seed=7))
            waited.append(not wait([other], 0.2).done)
            others.append(other)

        others: list[Future[Frames]] = []
        frame = noise(9, 7)
        assert np.array_equal(first(frame), upscaled(frame))
        sessions.during_recording = another_starts
        assert np.array_equal(threads.submit(first, frame).result(10), upscaled(frame))
        assert np.array_equal(others[0].result(10), upscaled(noise(20, 30, seed=7)))
        assert waited == [True]
        assert first.describe()["cuda_graph"] == "yes"


def test_memory_that_some_thread_takes_unasked_ends_a_recording_and_no_more(
    sessions: Sessions, session: OnnxCudaSession
) -> None:
    """What is not framelift's knows nothing of its recordings, which forbid it in every thread."""
    taken: list[int] = []
    sessions.during_recording = lambda: taken.append(sessions.gpu.others_allocate())
    frames = noise(1, 9, 7)
    for _ in range(4):
        assert np.array_equal(run(session, frames), upscaled(frames))
    assert taken == [900]
    assert "cudaErrorStreamCaptureInvalidated" in str(session.describe()["cuda_graph"])


def test_no_graph_is_recorded_beside_an_encoder_on_the_gpu(
    sessions: Sessions, session: OnnxCudaSession
) -> None:
    frames = noise(1, 9, 7)
    with EncoderOptions("h264-nvenc").in_use():
        for _ in range(3):
            assert np.array_equal(run(session, frames), upscaled(frames))
    assert session.describe()["cuda_graph"] == "no: NVENC encodes"
    assert set(sessions.runs) == {"plain"}
    others = noise(1, 6, 8)  # what comes afterwards is recorded
    for _ in range(3):
        assert np.array_equal(run(session, others), upscaled(others))
    assert session.describe()["cuda_graph"] == "yes"


def test_the_window_of_a_model_of_several_frames_makes_one(
    sessions: Sessions, tmp_path: Path, tiny_models: ModuleType
) -> None:
    """Uploads are five frames long, downloads one; the next window is copied meanwhile."""
    spec = read_spec(tiny_models.save(tiny_models.window_model(4), tmp_path / "window.onnx"))
    frames = np.repeat(noise(1, 9, 7), 12, 0) + np.arange(12, dtype=np.uint8)[:, None, None, None]
    frames = np.ascontiguousarray(frames.clip(0, 240))
    outs = np.zeros((12, 36, 28, 3), np.uint8)
    with Upscaler(spec, OnnxCudaSession(spec)) as upscaler:
        sequence = upscaler.sequence()
        pending = [sequence.submit(f, out) for f, out in zip(frames, outs, strict=True)]
        assert not pending[0].starved
        for one in pending:
            one.result()
    assert np.array_equal(outs, upscaled(frames))
    assert "replay" in sessions.runs
