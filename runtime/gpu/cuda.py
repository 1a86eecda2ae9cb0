"""The few CUDA runtime calls that are needed, with errors that name what failed.

Import once cuda-python is loaded (`runtime.gpu.cuda_python`).
"""

from __future__ import annotations

from typing import Any

from cuda.bindings import runtime

from ...common.errors import BackendError
from ..machine.nvidia import NO_GPU_ADVICE, installed_driver, no_such_gpu
from .facts import DeviceFacts


def call(function: Any, *arguments: Any) -> Any:  # noqa: ANN401 - CUDA handles have no common type
    """Call a function of `cuda.bindings.runtime`; its result without the status.

    Raises BackendError with CUDA's own words if it fails.
    """
    status, *results = function(*arguments)
    if int(status) != 0:
        name = getattr(function, "__name__", "a CUDA call")
        raise BackendError(f"{name} failed: {_words(status)}{_advice(int(status))}")
    return results[0] if results else None


def select_device(index: int) -> None:
    """Make this thread use GPU number `index`. Raises BackendError if there is none."""
    count = call(runtime.cudaGetDeviceCount)
    if not 0 <= index < count:
        raise BackendError(no_such_gpu(index, count))
    use_device(index)


def use_device(index: int) -> None:
    """Make this thread use GPU number `index`, which is there: each thread begins with the first.

    Raises BackendError.
    """
    call(runtime.cudaSetDevice, index)


def device_facts(index: int) -> DeviceFacts:
    """What an engine for GPU number `index` depends on."""
    properties = call(runtime.cudaGetDeviceProperties, index)
    name = bytes(properties.name).split(b"\0")[0].decode(errors="replace").strip()
    driver = installed_driver()
    if driver is None:
        supported = int(call(runtime.cudaDriverGetVersion))
        driver = f"cuda{supported // 1000}.{supported % 1000 // 10}"
    return DeviceFacts(name, f"{properties.major}.{properties.minor}", driver)


def _words(status: Any) -> str:  # noqa: ANN401
    _, text = runtime.cudaGetErrorString(status)
    return text.decode(errors="replace") if isinstance(text, bytes) else str(text)


def _advice(status: int) -> str:
    if status == int(runtime.cudaError_t.cudaErrorInsufficientDriver):
        return " (no NVIDIA driver, or one that is too old: check nvidia-smi)"
    if status == int(runtime.cudaError_t.cudaErrorNoDevice):
        return NO_GPU_ADVICE
    if status == int(runtime.cudaError_t.cudaErrorMemoryAllocation):
        return " (the GPU's memory is full: use smaller tiles or end other programs on it)"
    return ""
