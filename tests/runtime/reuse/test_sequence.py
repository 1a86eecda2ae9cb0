"""Reuse changes no bit, on any backend and in any order of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError, FrameError
from framelift.runtime import Upscaler
from framelift.runtime.backends.cpu.layered import LayeredNetwork
from framelift.runtime.backends.cpu.saturation import adds_in_16_bits
from framelift.runtime.backends.onnx_cpu import OnnxCpuSession
from framelift.runtime.models.file import read_spec
from framelift.runtime.reuse import ReusingSequence
from framelift.runtime.reuse.sequence import ReusingFrame
from framelift.runtime.video.clip.pool import FramePool

if TYPE_CHECKING:
    from tests.support.simulated_cuda import Gpu

Frames = NDArray[Any]


def clip(height: int = 90, width: int = 120, *, seed: int = 0, dtype: type = np.uint8) -> Frames:
    """Frames that move wholly, in parts, not at all, with and without colour."""
    rng = np.random.default_rng(seed)
    most = np.iinfo(dtype).max

    def noise(*shape: int) -> Frames:
        return rng.integers(0, most, shape, dtype, endpoint=True)

    frames = [noise(height, width, 3)]
    for number in range(30):
        frame = frames[-1].copy()
        if number % 10 == 3:
            frame = noise(height, width, 3)
        elif number % 10 == 4:
            frame = np.repeat(noise(height, width, 1), 3, axis=2)
        elif number % 3:
            for _ in range(number % 4):
                top, left = int(rng.integers(0, height - 9)), int(rng.integers(0, width - 9))
                patch = frame[top : top + 9, left : left + 9]
                grey = number % 10 in (5, 6)  # as the frame before is
                patch[...] = noise(9, 9, 1) if grey else noise(9, 9, 3)
        frames.append(frame)
    return np.stack(frames)


def whole(upscaler: Upscaler, frames: Frames) -> Frames:
    return np.stack([upscaler(frame) for frame in frames])


def reused(
    upscaler: Upscaler, frames: Frames, pool: FramePool | None = None
) -> tuple[Frames, float]:
    """The frames through a sequence, two under way at a time, and the share that was reused."""
    sequence = upscaler.sequence()
    assert isinstance(sequence, ReusingSequence)
    s, (_, height, width, _) = upscaler.scale, frames.shape
    shape = (s * height, s * width, 3)
    got: list[Frames] = []
    under_way: list[ReusingFrame] = []

    def collect() -> None:
        big = under_way.pop(0).result()
        got.append(big.copy())
        if pool is None:
            big[...] = 0  # it is the caller's
        else:
            pool.give_back(big)

    for frame in frames:
        mine = frame.copy()
        out = pool.take(shape) if pool else np.empty(shape, frame.dtype)
        under_way.append(sequence.submit(mine, out, pool))
        mine[...] = 77  # it may be changed on return
        if len(under_way) == 2:
            collect()
    while under_way:
        collect()
    return np.stack(got), sequence.reused_share


@pytest.fixture(params=["copied", "held"])
def pool(request: pytest.FixtureRequest) -> Callable[[Upscaler], FramePool | None]:
    """Whether results are copied, or held in a pool."""
    return lambda upscaler: FramePool(upscaler.empty) if request.param == "held" else None


@pytest.mark.parametrize(
    "model",
    [
        "realtime-nano-x4",
        "realtime-nano-x4-int8",
        "realtime-nano-x2-video-int8",
        "realtime-small-x2",
        "realtime-small-x4-video-int8",
    ],
)
def test_bundled_models_give_the_same_bits(
    model: str, pool: Callable[[Upscaler], FramePool | None]
) -> None:
    frames = clip(60, 96)
    with Upscaler.load(model, "onnx-cpu", threads=2) as upscaler:
        got, share = reused(upscaler, frames, pool(upscaler))
        assert np.array_equal(got, whole(upscaler, frames))
    assert share > 0.3


@pytest.mark.parametrize("tile", [None, 40])
def test_small_tiles_and_large_ones(shuffle_model_path: Path, tile: int | None) -> None:
    frames = clip(77, 131)
    with Upscaler.load(shuffle_model_path, "onnx-cpu", tile=tile) as upscaler:
        got, share = reused(upscaler, frames)
        assert np.array_equal(got, whole(upscaler, frames))
    assert share > 0.4


def test_a_size_multiple(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.set_metadata(tiny_models.pixel_shuffle_model(), size_multiple="4")
    tiny_models.set_metadata(model, minimum_side="24")
    for size in ((77, 131), (20, 130), (21, 22)):
        frames = clip(*size)
        with Upscaler.load(tiny_models.save(model, tmp_path / "m.onnx"), "onnx-cpu") as upscaler:
            got, share = reused(upscaler, frames)
            assert np.array_equal(got, whole(upscaler, frames))
        assert share > 0.2 or size == (21, 22)  # of which any part is the whole


def test_a_fixed_size_reuses_whole_frames(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(1, 48, 64))
    frames = clip()
    with Upscaler.load(tiny_models.save(model, tmp_path / "m.onnx"), "onnx-cpu") as upscaler:
        assert not upscaler.exact_regions
        got, share = reused(upscaler, frames)
        assert np.array_equal(got, whole(upscaler, frames))
    assert 0.3 < share < 0.5


def test_sixteen_bits(shuffle_model_path: Path) -> None:
    frames = clip(dtype=np.uint16)
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        deep = upscaler.at_depth(16)
        got, share = reused(deep, frames)
        assert np.array_equal(got, whole(deep, frames))
        assert share > 0.3
        mixed, _ = reused(upscaler, frames[:4])
        assert np.array_equal(mixed, whole(deep, frames[:4]))


def test_frames_may_change_size_and_colour(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        sequence = upscaler.sequence()
        for size in ((30, 40), (30, 40), (44, 50), (30, 40)):
            for frame in clip(*size)[:6]:
                out = np.empty((4 * size[0], 4 * size[1], 3), np.uint8)
                assert np.array_equal(sequence.submit(frame, out).result(), upscaler(frame))


def test_a_still_picture_is_computed_once(shuffle_model_path: Path) -> None:
    frame = clip()[0]
    calls = 0
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        submit = upscaler.submit

        def counted(frame: Frames, out: Frames) -> object:
            nonlocal calls
            calls += 1
            return submit(frame, out)

        upscaler.submit = counted  # type: ignore[method-assign,assignment]
        got, share = reused(upscaler, np.stack([frame] * 9))
        assert np.array_equal(got[-1], upscaler(frame))
    assert calls == 1
    assert share == pytest.approx(8 / 9)


def test_parts_that_come_out_different_are_noticed(shuffle_model_path: Path) -> None:
    notes: list[str] = []
    frames = clip()
    with Upscaler.load(shuffle_model_path, "onnx-cpu", say=notes.append) as upscaler:
        run = upscaler._session.run

        def depends_on_the_size(frames: Frames, out: Frames) -> None:
            run(frames, out)
            out += np.uint8(frames.shape[2] % 2)

        upscaler._session.run = depends_on_the_size  # type: ignore[method-assign]
        wide = frames[:, :, :119]
        got, share = reused(upscaler, wide)
        assert np.array_equal(got, whole(upscaler, wide))
    (note,) = notes
    assert "tiny-shuffle: parts of a frame come out slightly different on this machine" in note
    assert 0.3 < share < 0.5


def test_an_engine_that_fails_leaves_nothing_to_reuse(shuffle_model_path: Path) -> None:
    frames = clip()
    out = np.empty((360, 480, 3), np.uint8)
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        sequence = upscaler.sequence()
        run = upscaler._session.run

        def fail(frames: Frames, out: Frames) -> None:
            out[...] = 0
            raise BackendError("out of order")

        for number, frame in enumerate(frames):
            if number % 4 == 2 and not np.array_equal(frame, frames[number - 1]):
                upscaler._session.run = fail  # type: ignore[method-assign]
                with pytest.raises(BackendError, match="out of order"):
                    sequence.submit(frame, out)
                upscaler._session.run = run  # type: ignore[method-assign]
            assert np.array_equal(sequence.submit(frame, out).result(), upscaler(frame))


@pytest.mark.skipif(adds_in_16_bits(), reason="this processor adds products in 16 bits")
def test_layers_that_come_out_different_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    frames = clip(60, 96)
    run = LayeredNetwork._run

    def wrong(net: LayeredNetwork, worker: int, layer: int, around: Frames) -> Frames:
        return run(net, worker, layer, around) ^ np.uint8(1)

    monkeypatch.setattr(LayeredNetwork, "_run", wrong)
    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", say=notes.append) as upscaler:
        got, share = reused(upscaler, frames)
        assert np.array_equal(got, whole(upscaler, frames))
    (note,) = notes
    assert "parts of a frame come out slightly different" in note
    assert 0.3 < share < 0.5


@pytest.mark.skipif(adds_in_16_bits(), reason="this processor adds products in 16 bits")
def test_an_update_that_fails_half_way_leaves_nothing_to_reuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frames = clip(60, 96)
    out = np.empty((240, 384, 3), np.uint8)
    run, failed = LayeredNetwork._run, 0

    def fail(net: LayeredNetwork, worker: int, layer: int, around: Frames) -> Frames:
        if layer == 2:
            raise BackendError("out of order")
        return run(net, worker, layer, around)

    with Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=2) as upscaler:
        sequence = upscaler.sequence()
        for number, frame in enumerate(frames):
            if number % 3 == 2:
                monkeypatch.setattr(LayeredNetwork, "_run", fail)
                try:
                    sequence.submit(frame, out)
                except BackendError:
                    failed += 1
                monkeypatch.setattr(LayeredNetwork, "_run", run)
            assert np.array_equal(sequence.submit(frame, out).result(), upscaler(frame))
    assert failed > 2


@pytest.mark.parametrize(
    ("frame", "out"),
    [
        (np.zeros((2, 9, 9, 3), np.uint8), np.zeros((2, 36, 36, 3), np.uint8)),
        (np.zeros((9, 9), np.uint8), np.zeros((36, 36, 3), np.uint8)),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((36, 35, 3), np.uint8)),
        (None, np.zeros((36, 36, 3), np.uint8)),
    ],
)
def test_bad_frames(shuffle_model_path: Path, frame: Frames, out: Frames) -> None:
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler, pytest.raises(FrameError):
        upscaler.sequence().submit(frame, out)


def test_which_graphs_give_the_same_bits_in_every_place(
    nearest_model_path: Path, shuffle_model_path: Path
) -> None:
    for path, expected in ((nearest_model_path, False), (shuffle_model_path, True)):
        session = OnnxCpuSession(read_spec(path))
        assert session.exact_regions == expected
        session.close()


@contextmanager
def counting(gpu: Gpu) -> Iterator[list[int]]:
    before = len(gpu.launches)
    counted = [0]
    yield counted
    counted[0] = len(gpu.launches) - before


@pytest.mark.parametrize("seed", range(6))
def test_on_a_gpu_whole_frames_are_reused(
    monkeypatch: pytest.MonkeyPatch,
    simulated_gpu: ModuleType,
    nearest_model_path: Path,
    tiny_models: ModuleType,
    tmp_path: Path,
    pool: Callable[[Upscaler], FramePool | None],
    seed: int,
) -> None:
    """Simulated streams run late, in any order; frames that are the same launch nothing."""
    monkeypatch.setenv("FRAMELIFT_CACHE", str(tmp_path / "cache"))
    gpu = simulated_gpu.install(monkeypatch, simulated_gpu.Gpu(seed))
    frames = clip(18, 14, seed=seed)
    same = sum(np.array_equal(a, b) for a, b in pairwise(frames))
    with Upscaler.load(nearest_model_path, "tensorrt") as upscaler:
        assert not upscaler.exact_regions
        upscaler(frames[0])
        with counting(gpu) as launched:
            got, share = reused(upscaler, frames, pool(upscaler))
    assert np.array_equal(got, tiny_models.nearest(frames, 4))
    assert share == pytest.approx(same / len(frames))
    assert same > 8
    assert launched[0] <= len(frames) - same + 2  # some more to record a CUDA graph


def test_when_memory_runs_out_layers_are_given_up_for_regions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    frames = clip(64, 64)
    computed = [0]

    def without_memory(name: str) -> None:
        real = getattr(LayeredNetwork, name)

        def failing(self: LayeredNetwork, *arguments: object) -> object:
            computed[0] += 1
            if computed[0] == 3:
                raise BackendError("onnx-cpu failed: Failed to allocate memory for a buffer")
            return real(self, *arguments)

        monkeypatch.setattr(LayeredNetwork, name, failing)

    for name in ("run_whole", "_run"):
        said.clear()
        computed[0] = 0
        with (
            monkeypatch.context(),
            Upscaler.load("realtime-nano-x4-int8", "onnx-cpu", threads=1, say=said.append) as up,
        ):
            wanted = whole(up, frames)
            without_memory(name)
            got, share = reused(up, frames)
        monkeypatch.undo()
        assert np.array_equal(got, wanted)
        assert share > 0
        assert computed[0] == 3
        assert said == [
            "realtime-nano-x4-int8: out of memory; what changes is computed in regions of a frame "
            "from here on, which takes longer"
        ]


def test_thousands_of_equal_frames_may_wait(shuffle_model_path: Path) -> None:
    frame = clip(16, 16)[0]
    with Upscaler.load(shuffle_model_path, "onnx-cpu") as upscaler:
        sequence = upscaler.sequence()
        shape = (upscaler.scale * 16, upscaler.scale * 16, 3)
        last = sequence.submit(frame, np.empty(shape, np.uint8))
        for _ in range(3000):
            last = sequence.submit(frame, np.empty(shape, np.uint8))
        assert last.done
        assert np.array_equal(last.result(), upscaler(frame))
