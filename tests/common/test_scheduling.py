"""Encoders leave the scheduling of threads as it was."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from framelift.common.scheduling import unchanged_scheduling

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="only Linux lists the threads of a process"
)


def policies() -> set[int]:
    return {os.sched_getscheduler(int(task.name)) for task in Path("/proc/self/task").iterdir()}


def test_real_time_threads_become_normal_again() -> None:
    """What SVT-AV1 does: the caller and the threads that it starts."""
    before, started, end = policies(), threading.Event(), threading.Event()

    def start() -> None:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        started.set()
        end.wait()

    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        pytest.skip("this user may not make threads real-time")
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with unchanged_scheduling():
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        thread = threading.Thread(target=start)
        thread.start()
        started.wait()
        assert os.SCHED_RR in policies()
    assert policies() == before
    end.set()
    thread.join()
