"""The processors and the memory of this machine, as far as this process may use them."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ...common.errors import ConfigError
from .nvidia import device_nodes, gpu_problem

_MOST_THREADS, _THREADS_PER_PROCESSOR = 64, 4


def available_processors() -> int:
    """Number of processors that this process may use; a container may have fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_threads(threads: int) -> None:
    """Raise ConfigError for a number of threads that would keep the system busy with itself."""
    processors = available_processors()
    most = max(_MOST_THREADS, _THREADS_PER_PROCESSOR * processors)
    if threads > most:
        raise ConfigError(
            f"{threads} threads are too many for {processors} processors; use {most} or fewer, or "
            "leave the number out"
        )


def has_gpu() -> bool:
    """Whether the system shows a GPU of any kind, found out without its libraries."""
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


def available_memory_bytes(root: Path = Path("/")) -> int | None:
    """What programs can still take without others being moved to disk; None if it is not known.

    Limits of a container and of this process (`ulimit -d`) count. `root` is where /proc and /sys
    lie.
    """
    found = [
        *_control_groups(root),
        *(_on_linux(root) if sys.platform == "linux" else _by_psutil()),
    ]
    return max(0, min(found)) if found else None


def _on_linux(root: Path) -> Iterator[int]:
    """What psutil says, which takes 6 ms to import: a fortieth of the time of a small picture."""
    import resource

    available = None
    with suppress(OSError):
        meminfo = (root / "proc/meminfo").read_text(encoding="ascii")
        available = re.search(r"^MemAvailable:\s*(\d+) kB$", meminfo, re.MULTILINE)
    if available is None:  # a kernel before 3.14
        yield from _by_psutil()
    else:
        yield int(available[1]) << 10
    with suppress(OSError):
        most, _ = resource.getrlimit(resource.RLIMIT_DATA)
        if most != resource.RLIM_INFINITY:
            data_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
            yield most - data_pages * resource.getpagesize()


def _by_psutil() -> Iterator[int]:
    import psutil

    with suppress(OSError):
        yield psutil.virtual_memory().available


def _control_groups(root: Path) -> Iterator[int]:
    """What is left of the limit of each group that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":  # version 2, where limits of all groups above hold, too
            yield from _left(root / "sys/fs/cgroup", path, "memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            yield from _left(
                root / "sys/fs/cgroup/memory",
                path,
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
            )


def _left(mount: Path, path: str, limit: str, usage: str) -> Iterator[int]:
    # In a container the group is the mount itself, whatever its path says.
    folder = mount / path.lstrip("/")
    for group in (folder, *folder.parents):
        if group == mount.parent:
            return
        try:
            most = (group / limit).read_text(encoding="ascii").strip()
            used = (group / usage).read_text(encoding="ascii").strip()
            statistics = (group / "memory.stat").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        # The cache of files is given back before memory runs out.
        cached = [line.split()[1] for line in statistics if line.startswith("inactive_file ")]
        if most.isdecimal() and used.isdecimal():
            yield int(most) - int(used) + sum(map(int, cached))
