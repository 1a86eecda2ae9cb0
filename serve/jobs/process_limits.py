"""The limits that a job's process sets for itself before it reads an upload."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading

from .settings import RESULT_BYTES, Limits

_NICENESS = 5


def apply_limits(limits: Limits) -> None:
    """Limit this process's memory and the size of its files, and let the server go first.

    Memory is what the process may write to (RLIMIT_DATA): address space that is only reserved, as
    allocators and graphics drivers do, does not count. Windows has no such limits.
    """
    # Image headers are checked before; this is for what only the decoder makes of one.
    os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] = str(limits.pixels)
    if sys.platform == "win32":
        return
    import resource

    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: RESULT_BYTES * limits.bytes,
        resource.RLIMIT_DATA: limits.memory_bytes or None,
    }
    for which, value in wanted.items():
        most = resource.getrlimit(which)[1]
        if value is not None:
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            with contextlib.suppress(OSError, ValueError):  # macOS refuses some
                resource.setrlimit(which, (value, value))
    os.nice(_NICENESS)


def end_with_server() -> None:
    """End this process and its children when the server ends.

    The server holds the other end of the standard input, which ends with it in any case.
    """
    threading.Thread(target=_wait_for_the_end, name="parent-watch", daemon=True).start()


def _wait_for_the_end() -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 1):
            pass
    if sys.platform != "win32" and os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
