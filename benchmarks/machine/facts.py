"""Where a benchmark ran: without this a latency means nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ...runtime.machine.host import available_processors, processor_name
from .gpus import gpu_names

if sys.platform != "win32":
    import resource

PACKAGES = (
    "framelift",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "onnx",
    "onnxruntime",
    "onnxruntime-gpu",
    "onnxruntime-ep-nv-tensorrt-rtx-cu13",
    "onnxruntime-ep-webgpu",
    "tensorrt",
    "torch",
    "openvino",
    "ncnn",
    "av",
)

# What decides how fast a network runs, as Linux names it.
INSTRUCTIONS = (
    "avx2",
    "avx512f",
    "avx_vnni",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_int8",
    "amx_bf16",
    "asimd",
    "asimddp",
    "i8mm",
    "sve",
)
_INT8 = frozenset({"avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm"})


@dataclass(frozen=True)
class Machine:
    """Hardware and software facts. `cores` are those this process may use; `load` is the average
    number of runnable threads over the last minute, at the time of the call (None if unknown);
    `instructions` are those of `INSTRUCTIONS` that the processor has (none if unknown).
    """

    cpu: str
    cores: int
    memory_bytes: int | None
    load: float | None
    os: str
    python: str
    gpus: tuple[str, ...] = ()
    packages: dict[str, str] = field(default_factory=dict)
    instructions: tuple[str, ...] = ()

    @property
    def multiplies_int8(self) -> bool | None:
        """Whether 8-bit products are summed in 32 bits by one instruction; None if unknown."""
        return bool(_INT8 & set(self.instructions)) if self.instructions else None


def describe_machine() -> Machine:
    """Read the facts of this machine; what cannot be read is None or left out."""
    return Machine(
        cpu=processor_name(),
        cores=available_processors(),
        memory_bytes=psutil.virtual_memory().total,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        os=platform.platform(),
        python=platform.python_version(),
        gpus=gpu_names(),
        packages=installed_versions(PACKAGES),
        instructions=_instructions(),
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


def _instructions() -> tuple[str, ...]:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ()
    for line in text.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return tuple(flag for flag in INSTRUCTIONS if flag in flags.split())
    return ()


def peak_rss_bytes() -> int | None:
    """Largest resident memory of this process so far, or None where it cannot be read."""
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Not ru_maxrss: on Linux that counts what the parent had, too.
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return None
