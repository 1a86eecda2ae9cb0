"""One upscaler called from several threads, and closed while it works."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.common.errors import BackendError
from framelift.runtime import Upscaler
from framelift.runtime.models.file import read_spec
from framelift.runtime.session.turns import Turns

from ...support.frames import noise, room, upscaled
from ...support.waiting import PATIENCE_S, wait_until

Frames = NDArray[np.uint8]


@pytest.mark.parametrize("submitted", [False, True])
def test_threads_get_their_own_frames(nearest_model_path: Path, submitted: bool) -> None:
    with Upscaler.load(nearest_model_path, "onnx-cpu", threads=1) as upscale:

        def is_right(seed: int) -> bool:
            frame = noise(*((60, 80) if seed % 3 else (50, 70)), seed=seed)
            out = room(frame)
            got = upscale.submit(frame, out).result() if submitted else upscale(frame, out)
            return np.array_equal(got, upscaled(frame))

        with ThreadPoolExecutor(4) as threads:
            right = list(threads.map(is_right, range(80)))
    assert right.count(False) == 0


def test_a_size_multiple_and_tiles_share_buffers_too(shuffle_model_path: Path) -> None:
    frames = [noise(40, 60, seed=seed) for seed in range(24)]
    with (
        Upscaler.load(shuffle_model_path, "onnx-cpu", threads=1) as alone,
        Upscaler.load(shuffle_model_path, "onnx-cpu", threads=1, tile=20) as upscale,
        ThreadPoolExecutor(4) as threads,
    ):
        expected = [alone(frame) for frame in frames]
        for got, whole in zip(threads.map(upscale, frames), expected, strict=True):
            assert np.abs(got.astype(np.int16) - whole).max() <= 1


class _Slow:
    """A session that computes until it is let go, and notes what is done to it."""

    name = provider = device = "slow"

    def __init__(self) -> None:
        self.began, self.let_go = threading.Event(), threading.Event()
        self.notes: list[str] = []

    def run(self, frames: Frames, out: Frames) -> None:
        self.began.set()
        assert self.let_go.wait(PATIENCE_S)
        out[...] = 7
        self.notes.append("ran")

    def describe(self) -> dict[str, str | int]:
        return {}

    def cancel(self) -> None:
        self.notes.append("cancelled")

    def close(self) -> None:
        self.notes.append("closed")


def _in_thread(call: Callable[[], object]) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, errors


def test_closing_waits_for_the_call_of_another_thread(nearest_model_path: Path) -> None:
    session = _Slow()
    upscale = Upscaler(read_spec(nearest_model_path), session)
    frame = noise(4, 4)
    calling, errors = _in_thread(lambda: upscale(frame))
    assert session.began.wait(PATIENCE_S)
    waiting, refused = _in_thread(lambda: upscale(frame))  # its turn comes when it is too late
    closing, _ = _in_thread(upscale.close)
    wait_until(lambda: session.notes, "what closing does to the session")
    closing.join(0.2)
    assert closing.is_alive()
    assert session.notes == ["cancelled"]
    session.let_go.set()
    for thread in (calling, waiting, closing):
        thread.join(PATIENCE_S)
    assert session.notes == ["cancelled", "ran", "closed"]
    assert not errors
    assert [str(error) for error in refused] == ["the upscaler is closed: load the model again"]
    upscale.close()
    assert session.notes.count("closed") == 1


def test_an_interrupted_program_does_not_wait_for_a_long_call(nearest_model_path: Path) -> None:
    session = _Slow()
    frame = noise(4, 4)
    upscale = Upscaler(read_spec(nearest_model_path), session)
    calling, _ = _in_thread(lambda: upscale(frame))
    assert session.began.wait(PATIENCE_S)
    upscale.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert calling.is_alive()
    assert session.notes == ["cancelled"]  # not closed under the call
    session.let_go.set()
    calling.join(PATIENCE_S)
    assert session.notes == ["cancelled", "ran", "closed"]


def test_a_long_call_ends_between_tiles_when_the_upscaler_is_closed(
    shuffle_model_path: Path,
) -> None:
    session = _Slow()
    upscale = Upscaler(read_spec(shuffle_model_path), session, tile=20)
    calling, errors = _in_thread(lambda: upscale(noise(100, 100)))
    assert session.began.wait(PATIENCE_S)
    closing, _ = _in_thread(upscale.close)
    wait_until(lambda: "cancelled" in session.notes, "what closing does to the session")
    session.let_go.set()
    calling.join(PATIENCE_S)
    closing.join(PATIENCE_S)
    assert session.notes == ["cancelled", "ran", "closed"]  # one tile of many
    assert [str(error) for error in errors] == ["the upscaler is closed: load the model again"]


def test_what_is_freed_is_freed_once() -> None:
    freed: list[str] = []
    turns = Turns(lambda: freed.append("freed"), lambda: None)
    with turns.take():
        turns.close(0)
        turns.close(0)
        assert not freed
    turns.close(1)
    assert freed == ["freed"]
    with pytest.raises(BackendError, match="closed"), turns.take():
        pass
