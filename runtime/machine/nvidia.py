"""Whether an NVIDIA GPU and its driver are there, and the messages where they are missing.

None of NVIDIA's libraries is loaded for most of it.
"""

from __future__ import annotations

import ctypes
import re
import sys
from pathlib import Path


def gpu_problem() -> str | None:
    """Why no NVIDIA GPU can be used here, as its driver shows; None if there is one."""
    if sys.platform == "darwin":
        return "macOS has no driver for NVIDIA GPUs"
    if sys.platform == "win32":
        from ctypes.util import find_library

        found = find_library("nvcuda.dll") is not None
        return None if found else "no NVIDIA driver (nvcuda.dll is missing)"
    return None if device_nodes() else "no NVIDIA GPU (/dev/nvidia0 is missing)"


def device_nodes() -> list[Path]:
    """What the NVIDIA driver shows of its GPUs under Linux; empty if there are none."""
    dev = Path("/dev")
    return [*dev.glob("nvidia[0-9]*"), *dev.glob("dxg")]  # dxg is the GPU under WSL 2


def driver_problem(cuda_major: int | None = None) -> str | None:
    """Why the driver cannot start CUDA, of that major release, in its own words; None if it can.

    It is loaded and started.
    """
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as error:
        return str(error)
    status, version = driver.cuInit(0), ctypes.c_int()
    if status:
        words = ctypes.c_char_p()
        driver.cuGetErrorString(status, ctypes.byref(words))
        return (words.value or b"").decode(errors="replace") or f"cuInit failed with {status}"
    driver.cuDriverGetVersion(ctypes.byref(version))
    if cuda_major is not None and version.value // 1000 < cuda_major:
        return (
            f"CUDA driver version is insufficient: it is for CUDA {version.value // 1000}, not "
            f"{cuda_major}"
        )
    return None


def device_name(number: int = 0) -> str:
    """The name of a GPU, from the driver, where that has it; else its number."""
    found = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    if len(found) == 1 and number == 0:  # of several, CUDA may count in another order
        for line in found[0].read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("Model:"):
                return line.partition(":")[2].strip()
    return f"CUDA device {number}"


def no_such_gpu(number: int, count: int) -> str:
    """What is wrong with the number of a GPU of which there are only `count`."""
    return f"there is no GPU {number}: {count} can be seen, numbered from 0"


NO_GPU_ADVICE = " (the driver shows no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES)"
"""Goes behind CUDA's own words where it finds a driver but no GPU."""


def driver_advice(message: str) -> str:
    """What to do about an error of the NVIDIA driver, to be put behind it; "" if it is none."""
    lowered = message.lower()
    if "driver version is insufficient" in lowered:
        return " (the NVIDIA driver is too old: update the driver)"
    if "no cuda-capable device" in lowered:
        return NO_GPU_ADVICE
    if re.search(r"libcuda\.so|libnvidia-ml\.so|nvcuda\.dll", lowered):
        return (
            " (that library comes with the NVIDIA driver: install it, or make it "
            "available in the container)"
        )
    return ""


def major_driver_version(proc_version: str) -> str | None:
    """ "590" out of the text of /proc/driver/nvidia/version; None if it holds no version."""
    for word in proc_version.split():
        head, _, tail = word.partition(".")
        if head.isdecimal() and tail[:1].isdecimal() and len(head) == 3:
            return head
    return None


def installed_driver() -> str | None:
    """The NVIDIA driver's major version, or None where the kernel does not show it (WSL 2)."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return major_driver_version(text)
