"""Ctrl-C, SIGTERM and SIGHUP: raised as errors, noted for later, or ending a long native call."""

from __future__ import annotations

import _thread
import contextlib
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from .errors import Interrupted

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

T = TypeVar("T")
_Handler: TypeAlias = Callable[[int, FrameType | None], object]
_Handlers: TypeAlias = dict[int, Any]

STDERR = 2
_PATIENCE_S = 60.0  # for a native call that was asked to end

_SIGHUP: int | None = getattr(signal, "SIGHUP", None)  # Windows has none

SAME_PRESS_S = 0.25
"""Signals that are closer are one request: a terminal and a wrapper each send one."""

_ENDING_S = 1.0
"""After an error that ends the process, for which signals do not interrupt what it cleans up."""

_LOST_S = 10.0
"""After an error that has not ended the process in this time, the next signal raises it again."""

_AGAIN_S = 0.01
"""After an error that Python dropped, for which the signal is sent again."""


class _Last:
    """The last signal that raised an error."""

    number: int | None = None
    error = -math.inf
    """When, of the monotonic clock."""
    dropped = False
    """Whether Python dropped the error: no caller got it."""
    interrupts = False
    """Whether it is of `signals_as_interrupts`, which ends the command."""


class _Blocks:
    """Those of `_handled_by` that run."""

    count = 0


def _raise(error: BaseException, number: int) -> NoReturn:
    _Last.number, _Last.error, _Last.dropped = number, time.monotonic(), False
    raise error


def raised_by() -> int | None:
    """The signal that raised an error within `signals_as_interrupts`, even if nobody saw it.

    Libraries lose such errors: a module in C that cannot import another one makes its own error of
    it.
    """
    return _Last.number


def raise_swallowed() -> None:
    """Raise the error of `signals_as_interrupts` again if one was raised and swallowed.

    Call it where work begins: an import of a library that need not work, for instance, swallows
    whatever it raises.
    """
    if _Last.interrupts and sys.exc_info()[0] is None:
        raise KeyboardInterrupt(_Last.number)


@contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Make signals raise `KeyboardInterrupt` in the main thread; its argument is their number.

    They are SIGINT, SIGTERM and SIGHUP. For a second after such an error, or after one of the other
    functions here, they do nothing: no second signal cuts off the last line or shows a traceback.
    Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        if time.monotonic() < _Last.error + _ENDING_S and not _Last.dropped:
            return
        _Last.interrupts = True
        _raise(KeyboardInterrupt(signum), signum)

    _Last.number, _Last.error = None, -math.inf
    _Last.dropped = _Last.interrupts = False
    try:
        with _handled_by(handle):
            yield
    finally:
        _Last.interrupts = False


@contextmanager
def signals_as_errors(outcome: str = "no output was left behind") -> Iterator[None]:
    """Make signals raise `Interrupted` in the main thread; its message ends with `outcome`.

    They are SIGINT, SIGTERM and SIGHUP (exit codes 130, 143 and 129), which comes when the terminal
    is closed; under `nohup` it is left alone.

    Only the first signal raises: a second one would tear the clean-up that the first started. One
    that comes 10 seconds later raises again. Outside the main thread, where Python cannot set
    handlers, this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    raised = -math.inf

    def handle(signum: int, frame: FrameType | None) -> None:
        nonlocal raised
        if time.monotonic() < raised + _LOST_S and not _Last.dropped:
            return
        raised = time.monotonic()
        line = f"interrupted by {signal_name(signum)}; {outcome}"
        _raise(Interrupted(line, 128 + signum), signum)

    with _handled_by(handle):
        yield


def call_interruptibly(function: Callable[[], T], cancel: Callable[[], None] | None = None) -> T:
    """Run `function` in a thread and wait for it in a way that a signal can end.

    A signal handler runs in the main thread between bytecodes, hence not before a long native
    call there returns; waiting for another thread can be interrupted at once. That thread is a
    daemon. When an exception ends the wait, the thread is abandoned; with `cancel`, which asks
    it to end, it is given a minute, so that it does not go on using the GPU behind the back of
    whoever handles the exception.
    """
    from concurrent.futures import Future  # which is slow to import

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

    A second one does what the handler did that was there before, unless it comes at the same
    moment. A second SIGHUP does nothing: a terminal that is closed sends one and the shell in it
    another. Outside the main thread this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(signum: int, frame: FrameType | None) -> None:
        first = time.monotonic()

        def again(signum: int, frame: FrameType | None) -> None:
            if signum != _SIGHUP and time.monotonic() >= first + SAME_PRESS_S:
                _restore(previous)
                signal.raise_signal(signum)

        for number in previous:
            signal.signal(number, again)
        stop(signal_name(signum))

    with _handled_by(handle) as previous:
        yield


class StopRequest:
    """The number of the signal that asked to stop, or 0."""

    number = 0


@contextmanager
def signals_noted(notice: str = "") -> Iterator[StopRequest]:
    """During the block the signals are noted instead of ending the process.

    The first one prints `notice`, since a step may take seconds on a CPU. It does so once Python
    runs again, at the latest when the backward pass has returned. Ctrl-C once more, not at the same
    moment, raises `Interrupted` wherever the program is, for who does not want to wait.
    """
    request = StopRequest()
    first = math.inf
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may set handlers; its owner sees the signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal first
        before, request.number = request.number, number
        if not before:
            first = time.monotonic()
            # Past sys.stderr: a handler may have interrupted a write to it.
            with contextlib.suppress(OSError):
                os.write(STDERR, f"\n{notice}\n".encode() if notice else b"")
        elif number == before == signal.SIGINT and time.monotonic() >= first + SAME_PRESS_S:
            line = "stopped at once; the last checkpoint and state are kept"
            _raise(Interrupted(line, 130), number)

    with _handled_by(note):
        yield request


@contextmanager
def _handled_by(handle: _Handler) -> Iterator[_Handlers]:
    """Give the signals this handler; returns those that they had, which they get back.

    Python drops errors that are raised while it frees something (`__del__`, callbacks of weak
    references, as every import has one). The signal is sent again then.
    """
    raise_swallowed()
    previous: _Handlers = {}
    hook = sys.unraisablehook

    def dropped(what: UnraisableHookArgs) -> None:
        if _Last.number is None or not isinstance(what.exc_value, KeyboardInterrupt | Interrupted):
            hook(what)
            return
        _Last.dropped = True
        with contextlib.suppress(RuntimeError):  # no room for a thread
            _thread.start_new_thread(_send_again, (_Last.number,))  # takes no lock of Python's

    try:
        sys.unraisablehook = dropped
        _Blocks.count += 1
        for number in _signals():
            previous[number] = signal.getsignal(number)
            signal.signal(number, handle)
        yield previous
    except Interrupted:
        _Last.error = time.monotonic()
        raise
    finally:
        _Blocks.count -= 1
        sys.unraisablehook = hook
        _restore(previous)


def _send_again(number: int) -> None:
    time.sleep(_AGAIN_S)  # until what was freed is gone
    if not (_Last.dropped and _Blocks.count):
        return
    if hasattr(signal, "pthread_kill"):
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, number)
    else:  # Windows
        _thread.interrupt_main(signal.Signals(number))


def _restore(handlers: _Handlers) -> None:
    for number, handler in handlers.items():
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
