"""What is wrong with the NVIDIA software that is installed, and which command repairs it.

Facts are gathered in one place (`gather`); what follows from them is decided by pure functions.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .backends import tensorrt_rtx
from .machine.nvidia import gpu_problem
from .ort.linkage import CUDART, NVINFER, linked_major, provider_library
from .ort.plugins import library_file

# The oldest driver for each major release of CUDA under Linux (NVIDIA's table of minor-version
# compatibility), and for TensorRT 11 (its release notes).
CUDA_DRIVER = {12: 525, 13: 580}
TENSORRT_DRIVER = {11: 590}
_NEEDED = {"cublas": "cuBLAS", "cudnn": "cuDNN", "cuda-runtime": "the CUDA runtime"}
_DISTRIBUTION = re.compile(r"nvidia-(.+?)(?:-cu(\d+))?")


@dataclass(frozen=True)
class GpuFacts:
    """What is installed. Versions are as the packages state them."""

    has_gpu: bool = False
    driver: str | None = None
    distributions: dict[str, str] = field(default_factory=dict)
    """Name to version of every installed distribution whose name begins with "nvidia-"."""
    onnxruntime_gpu: str | None = None
    onnxruntime_cuda: int | None = None
    """The major release of CUDA that its CUDA provider is linked with."""
    onnxruntime_tensorrt: int | None = None
    """The major release of TensorRT that its TensorRT provider is linked with."""
    tensorrt: str | None = None
    plugin_cuda: int | None = None
    """The major release of CUDA that the plug-in of TensorRT for RTX is linked with."""


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, and the command that repairs it."""

    name: str
    detail: str
    fix: str


def findings(facts: GpuFacts) -> Iterator[Finding]:
    """All that is wrong; nothing for a machine without an NVIDIA GPU."""
    if not facts.has_gpu:
        return
    for check in (_driver, _mixed_cuda, _missing_libraries, _tensorrt_major):
        yield from check(facts)


def gather() -> GpuFacts:
    """Look at this machine, without loading any GPU library."""
    names = {
        name.lower().replace("_", "-"): distribution.version
        for distribution in importlib.metadata.distributions()
        if (name := distribution.name)
    }
    return GpuFacts(
        has_gpu=gpu_problem() is None,
        driver=_driver_version(Path("/sys/module/nvidia/version")),
        distributions={k: v for k, v in names.items() if k.startswith("nvidia-")},
        onnxruntime_gpu=names.get("onnxruntime-gpu"),
        onnxruntime_cuda=linked_major(provider_library("cuda"), CUDART),
        onnxruntime_tensorrt=linked_major(provider_library("tensorrt"), NVINFER),
        tensorrt=names.get("tensorrt"),
        plugin_cuda=linked_major(library_file(tensorrt_rtx.PLUGIN), CUDART),
    )


def _driver(facts: GpuFacts) -> Iterator[Finding]:
    if facts.driver is None:
        return
    have = int(facts.driver.partition(".")[0])
    cuda = max(facts.onnxruntime_cuda or 0, facts.plugin_cuda or 0)
    wanted = {f"CUDA {cuda}": CUDA_DRIVER.get(cuda, 0)}
    if facts.tensorrt:
        major = _major(facts.tensorrt)
        wanted[f"TensorRT {major}"] = TENSORRT_DRIVER.get(major, 0)
    for what, least in wanted.items():
        if have < least:
            yield Finding(
                "NVIDIA driver",
                f"{facts.driver} is too old for {what}, which needs {least} or newer",
                f"apt-get install nvidia-driver-{least}",
            )


def _mixed_cuda(facts: GpuFacts) -> Iterator[Finding]:
    by_major: dict[int, list[str]] = {}
    for name, version in facts.distributions.items():
        major = _cuda_major(name, version)
        if major is not None:
            by_major.setdefault(major, []).append(name)
    if facts.onnxruntime_cuda is None or len(by_major) < 2:
        return
    wrong = [
        name
        for major, names in sorted(by_major.items())
        if major != facts.onnxruntime_cuda
        for name in sorted(names)
    ]
    majors = " and ".join(map(str, sorted(by_major)))
    yield Finding(
        "CUDA packages",
        f"those of CUDA {majors} are both installed; onnxruntime-gpu uses {facts.onnxruntime_cuda}",
        f"pip uninstall -y {' '.join(wrong)}",
    )


def _missing_libraries(facts: GpuFacts) -> Iterator[Finding]:
    if facts.onnxruntime_gpu is None or facts.onnxruntime_cuda is None:
        return
    present = {
        match[1]
        for name, version in facts.distributions.items()
        if (match := _DISTRIBUTION.fullmatch(name))
        and _cuda_major(name, version) == facts.onnxruntime_cuda
    }
    missing = [label for key, label in _NEEDED.items() if key not in present]
    if missing and present:  # with none at all, CUDA is installed system-wide
        yield Finding(
            "CUDA libraries",
            f"{' and '.join(missing)} for CUDA {facts.onnxruntime_cuda} not installed",
            'pip install "onnxruntime-gpu[cuda,cudnn]"',
        )


def _tensorrt_major(facts: GpuFacts) -> Iterator[Finding]:
    linked = facts.onnxruntime_tensorrt
    if facts.tensorrt is None or linked is None or _major(facts.tensorrt) == linked:
        return
    yield Finding(
        "onnxruntime's TensorRT",
        f"its provider needs TensorRT {linked}, {facts.tensorrt} is installed; the backend "
        "tensorrt works without it",
        f'pip install "tensorrt>={linked},<{linked + 1}"',
    )


def _cuda_major(name: str, version: str) -> int | None:
    """Which CUDA a package is for: from CUDA 13 on, only cuDNN's name says so."""
    match = _DISTRIBUTION.fullmatch(name)
    if match is None or match[1] not in _NEEDED:
        return None
    return int(match[2]) if match[2] else _major(version)


def _major(version: str) -> int:
    return int(version.partition(".")[0])


def _driver_version(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None
