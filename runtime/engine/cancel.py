"""Long native calls that a signal can end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

_PATIENCE_S = 60.0


def run_cancellable(function: Callable[[], T], cancel: Callable[[], None]) -> T:
    """Run `function` in a thread; an exception that comes while waiting calls `cancel`.

    Signals are handled between the bytecodes of the main thread, so not while it is inside one long
    native call. After `cancel`, the thread is given a minute to end, so that it does not go on
    using the GPU behind the back of whoever handles the exception.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function())
        except BaseException as error:
            outcome.set_exception(error)

    thread = threading.Thread(target=run, name="framelift-build", daemon=True)
    thread.start()
    try:
        return outcome.result()
    except BaseException:
        if not outcome.done():
            cancel()
            thread.join(_PATIENCE_S)
        raise
