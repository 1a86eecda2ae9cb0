"""What the machine is, which backends and encoders work, and what the GPU can do at most.

python -m hardware.parts.environment [--dry-run]
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator

from framelift.benchmarks.machine.facts import describe_machine
from framelift.benchmarks.machine.gpus import gpu_names, gpu_state

from .. import results

_Facts = Iterator[tuple[str, object]]

# So that a product takes milliseconds on the fastest of today's GPUs.
_SIDE, _COPY_BYTES = 8192, 1 << 30
_SMALL_SIDE, _SMALL_COPY_BYTES = 128, 1 << 20


def main(dry_run: bool) -> int:
    """Look at all; what cannot be found out is a row, too."""
    for facts in (_machine, _driver, _pytorch, _backends, _encoders):
        _tell(facts)
    _tell(lambda: _rates(dry_run))
    return 0


def _tell(facts: Callable[[], _Facts]) -> None:
    try:
        for name, value in facts():
            if value is not None:
                results.add("fact", name=name, value=value)
    except Exception as error:  # whatever a broken installation raises
        results.add("fact", name=facts.__name__.strip("_<>"), value=f"unknown ({error})")


def _machine() -> _Facts:
    machine = describe_machine()
    yield "processor", f"{machine.cpu}, {machine.cores} usable"
    if machine.memory_bytes:
        yield "memory", f"{machine.memory_bytes / 2**30:.0f} GiB"
    yield "system", machine.os
    yield "Python", f"{machine.python} ({sys.executable})"
    yield "packages", ", ".join(f"{name} {version}" for name, version in machine.packages.items())


def _driver() -> _Facts:
    for index, line in enumerate(gpu_names()):
        yield f"GPU {index}", line
    if (state := gpu_state()) is not None:
        yield "the first GPU now", ", ".join(f"{name} {value:g}" for name, value in state.items())
    tool = shutil.which("nvidia-smi")
    if tool is None:
        yield "driver", "nvidia-smi is not there"
        return
    shown = subprocess.run([tool], capture_output=True, text=True, timeout=20, check=False).stdout
    yield (
        "nvidia-smi",
        next((line.strip(" |") for line in shown.splitlines() if "CUDA" in line), ""),
    )


def _pytorch() -> _Facts:
    import torch

    yield "PyTorch", f"{torch.__version__}, CUDA {torch.version.cuda}"
    if torch.cuda.is_available():
        found = torch.cuda.get_device_properties(0)
        capability = f"compute capability {found.major}.{found.minor}"
        size = (
            f"{found.multi_processor_count} multiprocessors, {found.total_memory / 2**30:.0f} GiB"
        )
        yield "device", f"{found.name}, {capability}, {size}"
        cudnn: object = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        yield "cuDNN", cudnn


def _backends() -> _Facts:
    from framelift.runtime.backends.select import BACKENDS
    from framelift.runtime.models.file import read_spec
    from framelift.runtime.models.zoo import resolve

    spec = read_spec(resolve("realtime-nano-x4"))
    for name, backend in BACKENDS.items():
        reason = backend.unusable(spec, 0, None)
        results.add("backend", name=name, reason=reason)
    yield from ()


def _encoders() -> _Facts:
    from framelift.runtime.video.writing.codecs import ENCODERS
    from framelift.runtime.video.writing.encoders import hardware_works

    works = [
        name
        for name, encoder in ENCODERS.items()
        if encoder.is_hardware and hardware_works(encoder.library)
    ]
    yield "encoders on the GPU", ", ".join(works) or "none"


def _rates(dry_run: bool) -> _Facts:
    import torch

    from ..rates import copy_rates, matrix_rate

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    side, size = (_SMALL_SIDE, _SMALL_COPY_BYTES) if dry_run else (_SIDE, _COPY_BYTES)
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    for kind in (torch.bfloat16, torch.float16, torch.float32):
        name = str(kind).removeprefix("torch.")
        rate = matrix_rate(device, kind, side)
        results.add("rate", device=device.type, name=name, per_second=rate)
        yield f"{name} matrices of {side}", f"{rate / 1e12:.4g} TFLOP/s"
    for where, rate in copy_rates(device, size):
        results.add("rate", device=device.type, name=f"copy {where}", per_second=rate)
        yield f"copy {where}", f"{rate / 1e9:.4g} GB/s"


if __name__ == "__main__":
    sys.exit(main("--dry-run" in sys.argv[1:]))
