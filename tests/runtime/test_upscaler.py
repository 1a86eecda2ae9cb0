from __future__ import annotations

import subprocess
import sys
import tracemalloc
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import (
    BackendError,
    ConfigError,
    FrameError,
    FrameliftError,
    ModelError,
)
from framelift.runtime import Upscaler, execution
from framelift.runtime.backends.select import open_named
from framelift.runtime.models.file import WHOLE_FRAME, read_spec
from framelift.runtime.session.protocol import Session

Frames = NDArray[np.uint8]


def _noise(*shape: int, seed: int = 0) -> Frames:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def _difference(a: Frames, b: Frames) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(np.int16) - b).max())


@pytest.fixture
def saved(tmp_path: Path, tiny_models: ModuleType) -> Path:
    """A x2 model with size multiple 4."""
    model = tiny_models.pixel_shuffle_model(scale=2)
    return tiny_models.save(  # type: ignore[no-any-return]
        tiny_models.set_metadata(model, size_multiple="4"), tmp_path / "multiple.onnx"
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 1), (17, 23), (64, 48)])
def test_any_size_is_upscaled(
    nearest_model_path: Path, tiny_models: ModuleType, size: tuple[int, int]
) -> None:
    frame = _noise(*size, 3)
    with Upscaler.load(nearest_model_path) as upscale:
        assert np.array_equal(upscale(frame), tiny_models.nearest(frame, 4))


def test_frames_may_change_size(nearest_model_path: Path, tiny_models: ModuleType) -> None:
    with Upscaler.load(nearest_model_path) as upscale:
        for size in ((9, 12), (30, 7), (9, 12), (2, 2), (40, 41)):
            frame = _noise(*size, 3)
            assert np.array_equal(upscale(frame), tiny_models.nearest(frame, 4))


def test_batch_equals_singles(shuffle_model_path: Path) -> None:
    frames = _noise(3, 19, 26, 3)
    with Upscaler.load(shuffle_model_path) as upscale:
        batch = upscale(frames)
        assert batch.shape == (3, 76, 104, 3)
        for frame, big in zip(frames, batch, strict=True):
            assert _difference(upscale(frame), big) <= 1


def test_far_more_threads_than_processors_are_refused(shuffle_model_path: Path) -> None:
    with pytest.raises(ConfigError, match="100000 threads are too many"):
        Upscaler.load(shuffle_model_path, backend="onnx-cpu", threads=100000)


def test_any_thread_count_gives_the_same_frames(shuffle_model_path: Path) -> None:
    frame = _noise(37, 53, 3)
    outputs = []
    for threads in (1, 2, 3):
        with Upscaler.load(shuffle_model_path, threads=threads) as upscale:
            assert upscale.describe()["threads"] == threads
            outputs.append(upscale(frame))
    assert _difference(outputs[0], outputs[1]) == _difference(outputs[0], outputs[2]) == 0


@pytest.mark.parametrize("size", [(31, 45), (5, 64), (64, 5), (1, 40), (33, 33)])
@pytest.mark.parametrize("tile", [5, 8, 17])
def test_tiled_equals_whole(shuffle_model_path: Path, size: tuple[int, int], tile: int) -> None:
    frames = _noise(2, *size, 3)
    with Upscaler.load(shuffle_model_path) as whole:
        expected = whole(frames)
    with Upscaler.load(shuffle_model_path, tile=tile) as tiled:
        assert _difference(tiled(frames), expected) <= 1


def test_tiling_with_a_size_multiple(saved: Path) -> None:
    frame = _noise(43, 62, 3)
    with Upscaler.load(saved) as whole, Upscaler.load(saved, tile=12) as tiled:
        assert _difference(tiled(frame), whole(frame)) <= 1


def test_large_frames_are_tiled_by_themselves(
    shuffle_model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = _noise(3, 50, 61, 3)
    with Upscaler.load(shuffle_model_path) as whole:
        expected = whole(frames)
        budget = whole.spec.activation_bytes * 50 * 61
    monkeypatch.setattr(execution, "activation_budget", lambda _: budget // 7)
    with Upscaler.load(shuffle_model_path) as tiled:
        assert _difference(tiled(frames), expected) <= 1
    monkeypatch.setattr(execution, "activation_budget", lambda _: budget * 2)
    with Upscaler.load(shuffle_model_path) as batched:
        assert _difference(batched(frames), expected) <= 1


def test_size_multiple_pads_by_repeating_edges_and_crops(saved: Path) -> None:
    frame = _noise(6, 9, 3)
    padded = np.pad(frame, ((0, 2), (0, 3), (0, 0)), mode="edge")
    with Upscaler.load(saved) as upscale:
        expected = upscale(padded)[:12, :18]
        assert np.array_equal(upscale(frame), expected)
        assert np.array_equal(upscale(frame[np.newaxis])[0], expected)


def test_too_small_tile_says_the_minimum(shuffle_model_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"tile is 4, too small for tiny-shuffle: use 5 or more"):
        Upscaler.load(shuffle_model_path, tile=4)


@pytest.mark.parametrize("threads", [0, -1])
def test_bad_thread_count(shuffle_model_path: Path, threads: int) -> None:
    with pytest.raises(ConfigError, match=f"threads is {threads}: use 1 or more"):
        Upscaler.load(shuffle_model_path, threads=threads)


def test_non_contiguous_frames(nearest_model_path: Path, tiny_models: ModuleType) -> None:
    frame = _noise(20, 30, 3)[::-1, 3:17]
    with Upscaler.load(nearest_model_path) as upscale:
        assert np.array_equal(upscale(frame), tiny_models.nearest(frame, 4))


@pytest.mark.parametrize("name", ["nearest_model_path", "shuffle_model_path"])
def test_out_is_filled_and_returned(name: str, request: pytest.FixtureRequest) -> None:
    frame = _noise(11, 13, 3)
    with Upscaler.load(request.getfixturevalue(name)) as upscale:
        out = np.empty((44, 52, 3), np.uint8)
        assert upscale(frame, out) is out
        assert np.array_equal(out, upscale(frame))
        batch = np.empty((1, 44, 52, 3), np.uint8)
        assert upscale(frame[np.newaxis], out=batch) is batch
        assert np.array_equal(batch[0], out)


@pytest.mark.parametrize("tile", [None, 64])
def test_steady_state_allocates_no_frames(shuffle_model_path: Path, tile: int | None) -> None:
    frame, out = _noise(128, 128, 3), np.empty((512, 512, 3), np.uint8)
    with Upscaler.load(shuffle_model_path, tile=tile) as upscale:
        upscale(frame, out)
        tracemalloc.start()
        try:
            for _ in range(3):
                upscale(frame, out)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < frame.nbytes


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (None, "frame is None.*could not be read"),
        ([[0, 0, 0]], "frame is a list, expected uint8 H×W×3"),
        (np.zeros((4, 4, 3), np.float32), "frame is float32.*scale to 0–255"),
        (np.zeros((4, 4), np.uint8), "frame is 4×4,.*COLOR_GRAY2BGR"),
        (np.zeros((4, 4, 1), np.uint8), "frame is 4×4×1,.*COLOR_GRAY2BGR"),
        (np.zeros((4, 4, 4), np.uint8), "frame is 4×4×4,.*COLOR_BGRA2BGR"),
        (np.zeros((3, 4, 5), np.uint8), "frame is 3×4×5, expected uint8 H×W×3"),
        (np.zeros((1, 1, 4, 4, 3), np.uint8), "frame is 1×1×4×4×3, expected"),
        (np.zeros((0, 4, 3), np.uint8), "without a single pixel"),
        (np.zeros((), np.uint8), "frame is a single number"),
    ],
)
def test_bad_frames(nearest_model_path: Path, frame: Frames, message: str) -> None:
    with Upscaler.load(nearest_model_path) as upscale, pytest.raises(FrameError, match=message):
        upscale(frame)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (np.empty((8, 8, 3), np.uint8), "out is uint8 8×8×3, expected uint8 16×16×3"),
        (np.empty((16, 16, 3), np.float32), "out is float32 16×16×3, expected"),
        (np.empty((16, 32, 3), np.uint8)[:, ::2], "writeable and C-contiguous"),
        ("out", "out is str"),
    ],
)
def test_bad_out(nearest_model_path: Path, out: Frames, message: str) -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    with Upscaler.load(nearest_model_path) as upscale, pytest.raises(FrameError, match=message):
        upscale(frame, out)


def test_read_only_out(nearest_model_path: Path) -> None:
    out = np.zeros((16, 16, 3), np.uint8)
    out.flags.writeable = False
    with Upscaler.load(nearest_model_path) as upscale, pytest.raises(FrameError, match="writeable"):
        upscale(np.zeros((4, 4, 3), np.uint8), out)


def test_frame_errors_are_value_errors() -> None:
    assert issubclass(FrameError, FrameliftError)
    assert issubclass(FrameError, ValueError)


@pytest.mark.parametrize("shape", [(24, 32), (24, "w"), ("h", 32)])
@pytest.mark.parametrize("size", [(24, 32), (53, 71), (10, 9), (24, 90), (60, 20)])
def test_a_fixed_size_is_the_size_of_tiles(
    tmp_path: Path,
    tiny_models: ModuleType,
    shape: tuple[int | str, int | str],
    size: tuple[int, int],
) -> None:
    """Frames of any size give what the same network of open sizes gives."""
    fixed = tiny_models.pixel_shuffle_model(frame_shape=(1, *shape))
    paths = [
        tiny_models.save(model, tmp_path / f"{name}.onnx")
        for name, model in (("fixed", fixed), ("open", tiny_models.pixel_shuffle_model()))
    ]
    frames = _noise(2, *size, 3)
    filled = np.pad(
        frames,
        [
            (0, 0),
            *(
                (0, max(0, int(least) - side))
                for least, side in (
                    (f if isinstance(f, int) else 0, side)
                    for f, side in zip(shape, size, strict=True)
                )
            ),
            (0, 0),
        ],
        mode="edge",
    )
    with Upscaler.load(paths[0], "onnx-cpu") as upscale:
        got = upscale(frames)
    with Upscaler.load(paths[1], "onnx-cpu") as upscale:
        wanted = upscale(filled)[:, : 4 * size[0], : 4 * size[1]]
    assert np.abs(got.astype(int) - wanted).max() <= 1
    with pytest.raises(ConfigError, match="in tiles of which it is run"):
        Upscaler.load(paths[0], tile=16)


def test_a_fixed_size_with_seams_is_said_once(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(1, 24, 32))
    tiny_models.set_metadata(model, halo=str(WHOLE_FRAME))
    notes: list[str] = []
    path = tiny_models.save(model, tmp_path / "fixed.onnx")
    with Upscaler.load(path, "onnx-cpu", say=notes.append) as upscale:
        assert upscale(_noise(24, 32, 3)).shape == (96, 128, 3)
        assert not notes
        for width in (70, 71):
            assert upscale(_noise(60, width, 3)).shape == (240, 4 * width, 3)
    (note,) = notes
    assert "takes 32×24 pixels only: it is run in tiles of that size, whose seams may show" in note


def test_fixed_batch_model_takes_whole_batches(tmp_path: Path, tiny_models: ModuleType) -> None:
    model = tiny_models.nearest_model(frame_shape=(2, "h", "w"))
    with Upscaler.load(tiny_models.save(model, tmp_path / "fixed.onnx")) as upscale:
        frames = _noise(4, 6, 8, 3)
        assert np.array_equal(upscale(frames), tiny_models.nearest(frames, 4))
        with pytest.raises(FrameError, match="takes 2 frames at a time, not 3"):
            upscale(frames[:3])


def test_describe(shuffle_model_path: Path) -> None:
    with Upscaler.load(shuffle_model_path, "onnx-cpu", threads=1) as upscale:
        described = upscale.describe()
    assert described["model"] == "tiny-shuffle"
    assert described["scale"] == 4
    assert described["precision"] == "fp32"
    assert described["backend"] == "onnx-cpu"
    assert described["provider"] == "CPUExecutionProvider"
    assert described["threads"] == 1
    assert str(described["engine"]).startswith("onnxruntime 1.")
    assert described["device"]


def test_closed_upscaler(nearest_model_path: Path) -> None:
    upscale = Upscaler.load(nearest_model_path)
    upscale.close()
    upscale.close()
    with pytest.raises(BackendError, match="is closed"):
        upscale(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(BackendError, match="is closed"):
        upscale.describe()


def test_unknown_model() -> None:
    with pytest.raises(ModelError, match="is not a file or a bundled model"):
        Upscaler.load("no-such-model")


def test_runtime_does_not_import_torch(nearest_model_path: Path) -> None:
    code = (
        "import sys, numpy as np\n"
        "from framelift.runtime import Upscaler\n"
        f"Upscaler.load({str(nearest_model_path)!r})(np.zeros((4, 4, 3), np.uint8))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class _Cramped:
    """A session that has memory for so many pixels at once."""

    name = provider = device = "cramped"

    def __init__(self, session: Session, pixels: int) -> None:
        self._session = session
        self.pixels = pixels
        self.refused = 0

    def run(self, frames: Frames, out: Frames) -> None:
        if frames.shape[0] * frames.shape[1] * frames.shape[2] > self.pixels:
            self.refused += 1
            raise BackendError("onnx-cpu failed: Failed to allocate memory for requested buffer")
        self._session.run(frames, out)

    def describe(self) -> dict[str, str | int]:
        return {}

    def close(self) -> None:
        self._session.close()


def test_out_of_memory_means_smaller_tiles_and_one_line(shuffle_model_path: Path) -> None:
    frame, notes = _noise(40, 60, 3), list[str]()
    spec = read_spec(shuffle_model_path)
    cramped = _Cramped(open_named(spec, "onnx-cpu"), 400)
    with Upscaler(spec, cramped, say=notes.append) as upscale:
        with Upscaler.load(shuffle_model_path) as whole:
            assert _difference(upscale(frame), whole(frame)) <= 1
        refused = cramped.refused
        upscale(frame)
        assert cramped.refused == refused  # what was learnt is kept
        assert notes == ["tiny-shuffle: out of memory; frames are now run in tiles of 18×16"]
        notes.clear()
        cramped.pixels = 4
        with pytest.raises(BackendError, match="Failed to allocate memory"):
            upscale(frame)


def test_out_of_memory_in_a_batch_means_one_by_one(shuffle_model_path: Path) -> None:
    frames, notes = _noise(3, 20, 20, 3), list[str]()
    spec = read_spec(shuffle_model_path)
    with Upscaler(spec, _Cramped(open_named(spec, "onnx-cpu"), 500), say=notes.append) as upscale:
        batch = upscale(frames)
        assert _difference(batch[2], upscale(frames[2])) <= 1
    assert notes == ["tiny-shuffle: out of memory; frames are now run one by one"]


def test_other_failures_are_not_tried_again(shuffle_model_path: Path) -> None:
    spec = read_spec(shuffle_model_path)
    session = open_named(spec, "onnx-cpu")

    def fail(frames: Frames, out: Frames) -> None:
        raise BackendError("onnx-cpu failed: illegal instruction")

    session.run = fail  # type: ignore[method-assign]
    with (
        Upscaler(spec, session) as upscale,
        pytest.raises(BackendError, match="illegal instruction"),
    ):
        upscale(_noise(8, 8, 3))
