"""Ctrl-C, SIGTERM and SIGHUP: raised as errors, noted for later, or ending a long native call."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from .errors import Interrupted

T = TypeVar("T")

STDERR = 2
_PATIENCE_S = 60.0  # for a native call that was asked to end

_SIGHUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none


@contextmanager
def signals_as_errors(outcome: str = "no output was left behind") -> Iterator[None]:
    """Make signals raise `Interrupted` in the main thread; its message ends with `outcome`.

    They are SIGINT, SIGTERM and SIGHUP (exit codes 130, 143 and 129), which comes when the terminal
    is closed; under `nohup` it is left alone.

    Only the first signal raises: a second one would tear the clean-up that the first started.
    Outside the main thread, where Python cannot set handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised = False

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal raised
        if raised:
            return
        raised = True
        raise Interrupted(f"interrupted by {signal_name(signum)}; {outcome}", 128 + signum)

    previous = {number: signal.signal(number, handle) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def call_interruptibly(function: Callable[[], T], cancel: Callable[[], None] | None = None) -> T:
    """Run `function` in a thread and wait for it in a way that a signal can end.

    A signal handler runs in the main thread between bytecodes, hence not before a long native
    call there returns; waiting for another thread can be interrupted at once. That thread is a
    daemon. When an exception ends the wait, the thread is abandoned; with `cancel`, which asks
    it to end, it is given a minute, so that it does not go on using the GPU behind the back of
    whoever handles the exception.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="framelift-call", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if cancel is not None and not outcome.done():
            cancel()
            thread.join(_PATIENCE_S)
        raise


@contextmanager
def first_signal_stops(stop: Callable[[str], None]) -> Iterator[None]:
    """Call `stop` with the signal's name on the first SIGINT, SIGTERM or SIGHUP, to end well.

    The second one does what the handler did that was there before; a second SIGHUP does nothing,
    for a terminal that is closed sends one and the shell in it another. Outside the main thread
    this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = _signals()
    previous = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    def handle(signum: int, frame: FrameType | None) -> None:
        restore()
        if signum == _SIGHUP:
            signal.signal(signum, signal.SIG_IGN)
        stop(signal_name(signum))

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()


class StopRequest:
    """The number of the signal that asked to stop, or 0."""

    number = 0


@contextmanager
def signals_noted(notice: str = "") -> Iterator[StopRequest]:
    """During the block the signals are noted instead of ending the process.

    The first one prints `notice`, since a step may take seconds on a CPU. It does so once Python
    runs again, at the latest when the backward pass has returned. Ctrl-C once more raises
    `Interrupted` wherever the program is, for who does not want to wait.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may set handlers; its owner sees the signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        if notice and not request.number:
            # Past sys.stderr: a handler may have interrupted a write to it.
            with contextlib.suppress(OSError):
                os.write(STDERR, f"\n{notice}\n".encode())
        if number == signal.SIGINT and request.number == signal.SIGINT:
            raise Interrupted("stopped at once; the last checkpoint and state are kept", 130)
        request.number = number

    before = {number: signal.signal(number, note) for number in _signals()}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> list[int]:
    """Those that ask to stop. A SIGHUP that is ignored, as `nohup` has it, does not."""
    numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
    if _SIGHUP is not None and signal.getsignal(_SIGHUP) != signal.SIG_IGN:
        numbers.append(_SIGHUP)
    return numbers


def signal_name(number: int) -> str:
    """What users call a signal."""
    return "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
