"""The processors and the memory of this machine, as far as this process may use them."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from .nvidia import device_nodes, gpu_problem


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


def available_memory_bytes(root: Path = Path("/")) -> int | None:
    """What programs can still take without others being moved to disk; None if it is not known.

    Limits of a container and of this process (`ulimit -d`) count. `root` is where /proc and /sys
    lie. macOS tells only how much there is at all, of which half is taken to be free.
    """
    if sys.platform == "win32":
        return _windows_memory()
    found = [
        value
        for value in (
            _meminfo(root / "proc/meminfo"),
            _process_limit(root / "proc/self/status"),
            *_control_groups(root),
        )
        if value is not None
    ]
    if found:
        return max(0, min(found))
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (OSError, ValueError, AttributeError):
        return None


def _meminfo(path: Path) -> int | None:
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found and found[0].isdecimal() else None


def _process_limit(path: Path) -> int | None:
    """What is left of this process's limit for memory that it may write to."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrlimit(resource.RLIMIT_DATA)[0]
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    used = [line.split()[1] for line in lines if line.startswith("VmData:")]
    if most == resource.RLIM_INFINITY or not used or not used[0].isdecimal():
        return None
    return most - int(used[0]) * 1024


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
                root / "sys/fs/cgroup/memory", path,
                "memory.limit_in_bytes", "memory.usage_in_bytes",
            )  # fmt: skip


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


def _windows_memory() -> int | None:
    class Status(ctypes.Structure):
        """MEMORYSTATUSEX."""

        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "available", "a", "b", "c", "d", "e")),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = getattr(ctypes, "windll").kernel32  # noqa: B009 - exists on Windows alone
    if not kernel.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)
