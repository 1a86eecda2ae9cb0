"""Nobody else calls CUDA while a graph is recorded."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from framelift.runtime.gpu.cuda_gate import CudaGate
from framelift.runtime.video.writing import encoders as encoders_module
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.waiting import PATIENCE_S


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def gate() -> CudaGate:
    return CudaGate()


def test_a_recording_waits_for_others_and_keeps_them_waiting(gate: CudaGate) -> None:
    order: list[str] = []
    inside, leave, recording, go_on = (threading.Event() for _ in range(4))

    def first() -> None:
        with gate.using():
            inside.set()
            leave.wait(PATIENCE_S)
            order.append("the first leaves")

    def record() -> None:
        with gate.using(), gate.recording():
            order.append("recording")
            recording.set()
            go_on.wait(PATIENCE_S)
            with gate.using():  # what it does itself
                order.append("recorded")

    def second() -> None:
        with gate.using():
            order.append("the second enters")

    threads = [in_thread(first)]
    assert inside.wait(PATIENCE_S)
    threads.append(in_thread(record))
    assert not recording.wait(0.1)
    leave.set()
    assert recording.wait(PATIENCE_S)
    assert not gate.is_free()
    threads.append(in_thread(second))
    threads[-1].join(0.1)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert order == ["the first leaves", "recording", "recorded", "the second enters"]
    assert gate.is_free()


def test_two_recordings_from_within_are_one_after_the_other(gate: CudaGate) -> None:
    """Both are users of CUDA themselves, which would wait for each other for ever."""
    together, most, now = threading.Barrier(2), [0], [0]

    def record() -> None:
        with gate.using():
            together.wait(PATIENCE_S)
            with gate.recording():
                now[0] += 1
                most[0] = max(most[0], now[0])
                threading.Event().wait(0.05)
                now[0] -= 1

    threads = [in_thread(record) for _ in range(2)]
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert most == [1]


def test_users_within_users_do_not_wait_for_a_recording_that_waits_for_them(
    gate: CudaGate,
) -> None:
    waiting = threading.Event()

    def record() -> None:
        waiting.set()
        with gate.recording():
            pass

    with gate.using():
        thread = in_thread(record)
        assert waiting.wait(PATIENCE_S)
        thread.join(0.05)
        with gate.using():
            pass
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_an_error_or_an_interrupt_leaves_the_gate_open(gate: CudaGate) -> None:
    with pytest.raises(KeyboardInterrupt), gate.using(), gate.recording():
        raise KeyboardInterrupt
    assert gate.is_free()
    thread = in_thread(lambda: _record(gate))
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def _record(gate: CudaGate) -> None:
    with gate.recording():
        pass


def test_who_uses_cuda_all_the_time_is_named(
    gate: CudaGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("torch", "cupy"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with gate.recording() as others:
        assert others == ""
    with gate.using_all_the_time("NVENC encodes"), gate.recording() as others:
        assert others == "NVENC encodes"
    with gate.recording() as others:
        assert others == ""
    for begun, expected in ((False, ""), (True, "PyTorch uses CUDA in this process")):
        torch = SimpleNamespace(cuda=SimpleNamespace(is_initialized=lambda begun=begun: begun))
        monkeypatch.setitem(sys.modules, "torch", torch)
        with gate.recording() as others:
            assert others == expected


def test_encoders_on_a_gpu_say_that_they_use_it(
    gate: CudaGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(encoders_module, "GATE", gate)
    for codec, expected in (("h264", ""), ("hevc-nvenc", "NVENC encodes")):
        with EncoderOptions(codec).in_use(), gate.recording() as others:
            assert others == expected
