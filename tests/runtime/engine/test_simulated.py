"""The builder and the session on simulated libraries: order of calls, copies, waits and errors."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.imaging.errors import BackendError, ModelError
from framelift.runtime import Upscaler
from framelift.runtime.engine.cache import EngineCache
from framelift.runtime.engine.key import BuilderOptions
from framelift.runtime.engine.phases import BuildProgress
from framelift.runtime.engine.shapes import parse_profile
from framelift.runtime.model_file import ModelSpec, read_spec

if TYPE_CHECKING:
    from framelift.runtime.backends.tensorrt import TensorrtSession
    from framelift.runtime.engine.provide import Built
    from tests.simulated_cuda import Gpu

Frames = NDArray[np.uint8]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, simulated_gpu: ModuleType, tmp_path: Path) -> Gpu:
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu: Gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu())
    return gpu


@pytest.fixture
def spec(nearest_model_path: Path) -> ModelSpec:
    return read_spec(nearest_model_path)


@pytest.fixture
def session(gpu: Gpu, spec: ModelSpec) -> Iterator[TensorrtSession]:
    from framelift.runtime.backends.tensorrt import TensorrtSession

    session = TensorrtSession(spec)
    yield session
    session.close()


def noise(*shape: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def upscaled(frames: Frames) -> Frames:
    return frames.repeat(4, -3).repeat(4, -2)


def run(session: TensorrtSession, frames: Frames) -> Frames:
    out = np.empty((len(frames), *(4 * side for side in frames.shape[1:3]), 3), np.uint8)
    session.run(frames, out)
    return out


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
    session = TensorrtSession(spec, cache=EngineCache(tmp_path))
    monkeypatch.setattr("framelift.runtime.engine.runner._BAND_BYTES", 500)
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
    _build(spec, "1x9x7:4x9x7:4x9x7", store=True)
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
        patch.setattr("framelift.runtime.engine.runner.np.copyto", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(session, noise(3, 9, 7))
    assert all(not stream.queue for stream in gpu.streams.values())
    frames = noise(3, 9, 7, seed=5)
    assert np.array_equal(run(session, frames), upscaled(frames))


def _build(
    spec: ModelSpec,
    shapes: str = "9x7",
    options: BuilderOptions | None = None,
    device: int = 0,
    timings: bytes = b"",
    *,
    store: bool = False,
) -> Built:
    from framelift.runtime.engine.build import VERSION, build_engine
    from framelift.runtime.engine.cuda import device_facts
    from framelift.runtime.engine.key import EngineKey
    from framelift.runtime.engine.provide import provide

    options = options or BuilderOptions()
    profile = parse_profile(shapes)
    progress = BuildProgress("test", quiet=True)
    built = build_engine(spec, profile, options, device, timings, progress)
    if store:
        key = EngineKey(spec.sha256, VERSION, device_facts(device), profile, options)
        provide(spec, key, EngineCache(), lambda _: built)
    return built


@pytest.mark.parametrize(("version", "flags"), [("10.16.1.11", 2), ("11.4.0.106", 0)])
def test_networks_are_strongly_typed_and_tf32_is_off(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    shuffle_model_path: Path,
    version: str,
    flags: int,
) -> None:
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(devices=2), version)
    spec = read_spec(shuffle_model_path)
    built = _build(spec, "8x8:9x9:16x16", device=1)
    assert gpu.builds == [
        {
            "device": 1,
            "network_flags": flags,
            "tf32": False,
            "level": 3,
            "aux_streams": 0,
            "detailed": True,
            "timings": b"",
            "shapes": ((1, 8, 8, 3), (1, 9, 9, 3), (1, 16, 16, 3)),
        }
    ]
    assert built.precision.text() == "3 of 3 convolutions run in the graph's precision"
    assert (built.layers, built.timings) == (3, b"+")


def test_options_reach_the_builder(gpu: Gpu, spec: ModelSpec) -> None:
    _build(spec, options=BuilderOptions(level=5, tf32=True, max_aux_streams=None), timings=b"t")
    (build,) = gpu.builds
    assert (build["level"], build["tf32"], build["aux_streams"]) == (5, True, -1)
    assert build["timings"] == b"t"


def test_timings_of_another_gpu_are_dropped(gpu: Gpu, spec: ModelSpec) -> None:
    gpu.refuse_timings = True
    assert _build(spec, timings=b"of another").timings == b"+"


@pytest.mark.parametrize("unsupported", [True, False])
def test_parser_errors_name_the_node(
    gpu: Gpu,
    simulated_gpu: ModuleType,
    spec: ModelSpec,
    unsupported: bool,
) -> None:
    gpu.unsupported = unsupported
    gpu.parser_errors = [simulated_gpu.ParserError("up", "Resize", "cubic is not supported.")]
    with pytest.raises(
        ModelError,
        match=r"cannot take .*tiny-nearest.onnx: node 'up' \(Resize\): cubic is not supported "
        r"\[UNSUPPORTED_NODE\]; run `framelift check",
    ):
        _build(spec)


def test_build_that_fails_gives_the_first_error(gpu: Gpu, spec: ModelSpec) -> None:
    gpu.build_fails = "Could not find any\nimplementation for node up"
    with pytest.raises(
        BackendError,
        match="cannot build tiny-nearest for 1x9x7: Could not find any implementation for node up",
    ):
        _build(spec)


def test_engine_of_another_precision_is_refused(
    gpu: Gpu,
    shuffle_model_path: Path,
) -> None:
    gpu.inspected_type = "Half"
    with pytest.raises(BackendError, match="does not run in the model's precision: 0 of 3"):
        _build(read_spec(shuffle_model_path))


def test_no_such_gpu(gpu: Gpu, spec: ModelSpec) -> None:
    with pytest.raises(BackendError, match="there is no GPU 3: 1 can be seen"):
        _build(spec, device=3)
    gpu.devices = 0
    with pytest.raises(BackendError, match=r"cudaGetDeviceCount failed.*the driver shows no GPU"):
        _build(spec)


def test_interrupted_build_stops_at_its_next_step(
    gpu: Gpu,
    spec: ModelSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    under_way = threading.Event()
    progress = BuildProgress("test", quiet=True)

    def wait_for_the_signal() -> None:
        under_way.set()
        while not progress.cancelled:
            under_way.wait(0.01)

    def interrupted(self: object, timeout: float | None = None) -> None:
        under_way.wait(10)
        raise KeyboardInterrupt

    gpu.during_build = wait_for_the_signal
    monkeypatch.setattr("framelift.runtime.engine.cancel.Future.result", interrupted)
    from framelift.runtime.engine.build import build_engine

    with pytest.raises(KeyboardInterrupt):
        build_engine(spec, parse_profile("9x7"), BuilderOptions(), 0, b"", progress)
    assert not any(thread.name == "framelift-build" for thread in threading.enumerate())


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
    assert under_way.wait(10)
    session.close()
    thread.join(10)
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
