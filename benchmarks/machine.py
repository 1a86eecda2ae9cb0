"""Where a benchmark ran: without this a latency means nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from ..runtime.host import available_processors, processor_name

PACKAGES = (
    "framelift",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
    "torch",
    "openvino",
    "ncnn",
    "av",
)


@dataclass(frozen=True)
class Machine:
    """Hardware and software facts. `cores` are those this process may use; `load` is the average
    number of runnable threads over the last minute, at the time of the call (None if unknown).
    """

    cpu: str
    cores: int
    memory_bytes: int | None
    load: float | None
    os: str
    python: str
    gpus: tuple[str, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)


def describe_machine() -> Machine:
    """Read the facts of this machine; what cannot be read is None or left out."""
    return Machine(
        cpu=processor_name(),
        cores=available_processors(),
        memory_bytes=_memory_bytes(),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        os=platform.platform(),
        python=platform.python_version(),
        gpus=_gpu_names(),
        packages=installed_versions(PACKAGES),
    )


def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Distribution name to version for those that are installed; nothing is imported."""
    versions = {}
    for name in names:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def peak_rss_bytes() -> int | None:
    """Largest resident memory of this process so far, or None where it cannot be read."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _memory_bytes() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def device_memory_used() -> int | None:
    """Bytes of the first GPU's memory in use by all programs, or None where there is no GPU."""
    answer = query_gpus("memory.used", "nounits")
    try:
        return int(answer[0]) << 20 if answer else None
    except ValueError:
        return None


def query_gpus(fields: str, *format_options: str) -> list[str]:
    """One line for each GPU; none where there is no GPU or no tool."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    form = ",".join(("csv", "noheader", *format_options))
    query = [tool, f"--query-gpu={fields}", f"--format={form}"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def _gpu_names() -> tuple[str, ...]:
    return tuple(query_gpus("name,driver_version,memory.total"))
