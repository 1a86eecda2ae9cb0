"""The processors of this machine."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

from .backends.nvidia import device_nodes, gpu_problem


def available_processors() -> int:
    """Number of processors that this process may use; a container may have fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_gpu() -> bool:
    """Whether the system shows a GPU of any kind, as far as that is told without its libraries."""
    if sys.platform == "darwin":
        return True
    if sys.platform == "win32":
        return gpu_problem() is None
    return bool(device_nodes() or list(Path("/dev/dri").glob("renderD*")))


def processor_name() -> str:
    """The model name of the CPU as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
