"""How the system schedules our threads: as it did before a library changed it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def unchanged_scheduling() -> Iterator[None]:
    """Undo what opening an encoder does to the scheduling of this process's threads.

    SVT-AV1 makes the calling thread and its own real-time ones where it may, as root may. Such
    threads leave no time to the network that makes their frames, nor to other programs. Only Linux
    lists the threads of a process; elsewhere nothing is undone.
    """
    if not _THREADS.is_dir():
        yield
        return
    policy, parameter = os.sched_getscheduler(0), os.sched_getparam(0)
    before: dict[int, int] = {}
    for thread in _threads():
        with contextlib.suppress(ProcessLookupError):  # it has ended since
            before[thread] = os.sched_getscheduler(thread)
    try:
        yield
    finally:
        for thread in _threads():
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getscheduler(thread) != before.get(thread, policy):
                    os.sched_setscheduler(thread, policy, parameter)


def _threads() -> list[int]:
    return [int(thread.name) for thread in _THREADS.iterdir()]
