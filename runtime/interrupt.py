"""Ctrl-C and SIGTERM as ordinary errors, also while a long call into native code runs."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from ..imaging.errors import Interrupted

T = TypeVar("T")


@contextmanager
def signals_as_errors() -> Iterator[None]:
    """Make SIGINT and SIGTERM raise `Interrupted` (exit codes 130 and 143) in the main thread.

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
        name = "Ctrl-C" if signum == signal.SIGINT else signal.Signals(signum).name
        raise Interrupted(f"interrupted by {name}; no output was left behind", 128 + signum)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def call_interruptibly(function: Callable[[], T]) -> T:
    """Run `function` in a thread and wait for it in a way that a signal can end.

    A signal handler runs in the main thread between bytecodes, hence not before a long native
    call there returns; waiting for another thread can be interrupted at once. That thread is a
    daemon and is abandoned when an exception ends the wait.
    """
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            failure.append(error)
        finally:
            done.set()

    done = threading.Event()
    threading.Thread(target=run, name="framelift-call", daemon=True).start()
    done.wait()
    if failure:
        raise failure[0]
    return outcome[0]
