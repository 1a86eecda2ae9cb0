"""Ctrl-C, SIGTERM and SIGHUP, noted and acted on between two steps."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ..imaging.errors import Interrupted

STDERR = 2


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
            raise Interrupted("stopped at once; the last checkpoint and state stay", 130)
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
    hangup: int | None = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:
        numbers.append(hangup)
    return numbers
