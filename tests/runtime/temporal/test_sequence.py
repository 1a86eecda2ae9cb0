"""Models of several frames: windows over a sequence, its ends, its scenes, and single frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import FrameError, ModelError
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec

Frames = NDArray[np.uint8]


def scene(seed: int, count: int, height: int = 18, width: int = 32) -> Frames:
    """Coarse noise that changes little from frame to frame."""
    rng = np.random.default_rng(seed)
    still = rng.integers(20, 236, (height // 3 + 1, width // 3 + 1, 3))
    still = still.repeat(3, 0).repeat(3, 1)[:height, :width]
    return (still + rng.integers(-8, 9, (count, height, width, 3))).astype(np.uint8)


def near(got: Frames, wanted: Frames) -> bool:
    return got.shape == wanted.shape and np.abs(got.astype(int) - wanted).max() <= 1


@pytest.fixture
def upscaler(tmp_path: Path, tiny_models: ModuleType) -> Iterator[Upscaler]:
    path = tiny_models.save(tiny_models.window_model(), tmp_path / "window.onnx")
    with Upscaler.load(path, "onnx-cpu") as upscaler:
        yield upscaler


def test_the_spec_says_how_many_frames(upscaler: Upscaler) -> None:
    assert (upscaler.spec.window, upscaler.spec.lookahead, upscaler.spec.frame_shape) == (
        5,
        2,
        (5, None, None),
    )


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 23])
def test_a_batch_is_a_sequence_whose_ends_are_repeated(
    upscaler: Upscaler, tiny_models: ModuleType, count: int
) -> None:
    frames = scene(0, count)
    assert near(upscaler(frames), tiny_models.windowed(frames, 2))


def test_a_single_frame_is_a_still(upscaler: Upscaler, tiny_models: ModuleType) -> None:
    frame = scene(0, 1)[0]
    assert near(upscaler(frame), tiny_models.nearest(frame, 2))
    out = np.zeros((36, 64, 3), np.uint8)
    assert near(upscaler.submit(frame, out).result(), tiny_models.nearest(frame, 2))


@pytest.mark.parametrize("lengths", [(7, 9), (1, 1, 1), (3, 1, 12, 2)])
def test_scenes_are_kept_apart(
    upscaler: Upscaler, tiny_models: ModuleType, lengths: tuple[int, ...]
) -> None:
    scenes = [scene(seed, count) for seed, count in enumerate(lengths)]
    wanted = np.concatenate([tiny_models.windowed(part, 2) for part in scenes])
    assert near(upscaler(np.concatenate(scenes)), wanted)


def test_each_frame_is_done_when_those_ahead_have_come(
    upscaler: Upscaler, tiny_models: ModuleType
) -> None:
    frames = scene(0, 6)
    outs = [np.zeros((36, 64, 3), np.uint8) for _ in frames]
    sequence = upscaler.sequence()
    buffer = np.empty_like(frames[0])
    pending = []
    for number, (frame, out) in enumerate(zip(frames, outs, strict=True)):
        buffer[...] = frame  # may be used again once it was submitted
        pending.append(sequence.submit(buffer, out))
        assert [one.starved for one in pending] == [at > number - 2 for at in range(number + 1)]
    wanted = tiny_models.windowed(frames, 2)
    for one, big in zip(pending, wanted, strict=True):
        assert near(one.result(), big)  # the last two end the sequence
    assert near(sequence.submit(frames[0], outs[0]).result(), tiny_models.nearest(frames[0], 2))


def test_frames_before_the_first_are_looked_at(upscaler: Upscaler, tiny_models: ModuleType) -> None:
    frames = scene(0, 8)
    wanted = tiny_models.windowed(frames, 2)[5:]
    sequence = upscaler.sequence()
    assert sequence.history == 2
    for frame in frames[3:5]:
        sequence.prime(frame)
    outs = np.zeros((3, 36, 64, 3), np.uint8)
    pending = [sequence.submit(f, out) for f, out in zip(frames[5:], outs, strict=True)]
    assert near(np.stack([one.result() for one in pending]), wanted)


def test_another_size_begins_another_scene(upscaler: Upscaler, tiny_models: ModuleType) -> None:
    sequence = upscaler.sequence()
    parts = [scene(0, 3), scene(0, 4, 24, 20)]
    outs = [np.zeros((2 * f.shape[0], 2 * f.shape[1], 3), np.uint8) for part in parts for f in part]
    frames = [frame for part in parts for frame in part]
    pending = [sequence.submit(f, out) for f, out in zip(frames, outs, strict=True)]
    got = [one.result() for one in pending]
    for start, part in ((0, parts[0]), (3, parts[1])):
        wanted = tiny_models.windowed(part, 2)
        assert near(np.stack(got[start : start + len(part)]), wanted)


@pytest.mark.parametrize("frame_shape", [(16, 16), ("h", "w")])
def test_windows_are_run_in_tiles(
    tmp_path: Path, tiny_models: ModuleType, frame_shape: tuple[int | str, int | str]
) -> None:
    model = tiny_models.window_model(frame_shape=frame_shape)
    path = tiny_models.save(model, tmp_path / "window.onnx")
    tile = None if 16 in frame_shape else 7
    frames = scene(0, 6, 30, 41)
    with Upscaler.load(path, "onnx-cpu", tile=tile) as upscaler:
        assert near(upscaler(frames), tiny_models.windowed(frames, 2))


def test_what_is_no_frame_of_a_sequence(upscaler: Upscaler) -> None:
    sequence = upscaler.sequence()
    frame = scene(0, 1)[0]
    with pytest.raises(FrameError, match="one frame after the other"):
        sequence.submit(frame[None], np.zeros((1, 36, 64, 3), np.uint8))
    with pytest.raises(FrameError, match="expected uint8 36×64×3"):
        sequence.submit(frame, np.zeros((36, 63, 3), np.uint8))
    with pytest.raises(FrameError, match="takes windows of 5 frames"):
        upscaler.submit_window(frame[None], np.zeros((36, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": "0"}, "framelift.window 0 and framelift.lookahead 2 do not go together"),
        ({"lookahead": "5"}, "framelift.window 5 and framelift.lookahead 5 do not go together"),
        ({"window": "3"}, "takes 5 frames at once, framelift.window says 3"),
    ],
)
def test_windows_that_cannot_be(
    tmp_path: Path, tiny_models: ModuleType, changes: dict[str, str], message: str
) -> None:
    model = tiny_models.set_metadata(tiny_models.window_model(), **changes)
    with pytest.raises(ModelError, match=message):
        read_spec(tiny_models.save(model, tmp_path / "m.onnx"))


def test_models_of_one_frame_have_sequences_too(
    nearest_model_path: Path, tiny_models: ModuleType
) -> None:
    frames = scene(0, 3)
    outs = np.zeros((3, 72, 128, 3), np.uint8)
    with Upscaler.load(nearest_model_path, "onnx-cpu") as upscaler:
        sequence = upscaler.sequence()
        pending = [sequence.submit(f, out) for f, out in zip(frames, outs, strict=True)]
        assert not any(one.starved for one in pending)
        got = np.stack([one.result() for one in pending])
    assert np.array_equal(got, tiny_models.nearest(frames, 4))
