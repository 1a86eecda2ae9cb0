"""Ends the process where the interpreter's own end would hang or take seconds."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import NoReturn

from ..output import log_file
from ..output.json_output import print_failure
from ..output.lines import print_line

_LAST_WORDS_S = 2.0
"""Time for the last line; a full pipe that nobody reads never takes it."""


def leave(exit_code: int, message: str = "", kind: str = "Interrupted") -> None:
    """End now if a thread is stuck in native code, where the interpreter's own end would hang."""
    if not any(thread.name.startswith("framelift") for thread in threading.enumerate()):
        return
    leave_at_once(exit_code, message, kind)


def leave_at_once(exit_code: int, message: str = "", kind: str = "Interrupted") -> NoReturn:
    """Print the message and exit without taking the interpreter down in order.

    Signals do not interrupt the printing, but after two seconds the process ends in any case.
    """
    if threading.current_thread() is threading.main_thread():  # which alone may set handlers
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):  # Windows has no SIGHUP
                signal.signal(getattr(signal, name), signal.SIG_IGN)
    limit = threading.Timer(_LAST_WORDS_S, os._exit, [exit_code])
    limit.daemon = True
    with contextlib.suppress(RuntimeError):  # no room for a thread
        limit.start()
    # Whoever closed the terminal reads no message, and an error here would hang the process.
    with contextlib.suppress(OSError):
        if message:
            print_line(f"framelift: {message}", err=True)
            print_failure(kind, message, exit_code)
        log_file.end(exit_code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, AttributeError):  # None: closed
            stream.flush()
    os._exit(exit_code)
