"""Ctrl-C and SIGTERM, noted and acted on between two steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """The number of the signal that asked to stop, or 0."""

    number = 0


@contextmanager
def signals_noted() -> Iterator[StopRequest]:
    """During the block the signals are noted instead of ending the process."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # only the main thread may set handlers; its owner sees the signals
        return

    def note(number: int, frame: FrameType | None) -> None:
        request.number = number

    before = {s: signal.signal(s, note) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
