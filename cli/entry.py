"""Where the command begins and ends: Ctrl-C is one line even while the rest is loaded."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
import threading

_END_IN_ORDER = {"multiprocessing", "ray", "torch"}
"""Packages that have processes and shared memory, which they give back as the interpreter ends."""


def main() -> None:
    """Run the command line, see `main.main`."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and not (name == "SIGHUP" and _is_ignored(number)):
            signal.signal(number, _end)
    gc.disable()  # `main.main` enables it: imports make little that is garbage
    from .main import main as run

    try:
        run()
    except SystemExit as ended:
        _leave(ended.code)
        raise


def _is_ignored(number: int) -> bool:
    """As `nohup` has SIGHUP."""
    return signal.getsignal(number) == signal.SIG_IGN


def _end(number: int, frame: object) -> None:
    """End while the command is loaded, and after it is done: `main.main` has its own handlers."""
    del frame
    for other in (signal.SIGINT, signal.SIGTERM):  # one line, not two
        signal.signal(other, signal.SIG_IGN)
    name = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
    with contextlib.suppress(OSError):
        os.write(2, f"framelift: interrupted by {name}\n".encode())
    os._exit(128 + number)


def _leave(code: object) -> None:
    """End at once where only memory is left to free: Python takes 0.1 s to free it piece by piece.

    Files are closed by then. What was registered for the end is called.
    """
    if not isinstance(code, int) or _END_IN_ORDER & set(sys.modules) or _is_profiled():
        return
    main_thread = threading.main_thread()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not main_thread):
        return
    with contextlib.suppress(OSError, ValueError):  # Python says at its own end what is refused
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:  # closed
                stream.flush()
        atexit._run_exitfuncs()
        os._exit(code)


def _is_profiled() -> bool:
    """Whether a profiler or a tracer waits for the end, to print what it found."""
    if sys.getprofile() is not None or sys.gettrace() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)  # from Python 3.12 on
    return monitoring is not None and any(map(monitoring.get_tool, range(6)))


if __name__ == "__main__":
    main()
