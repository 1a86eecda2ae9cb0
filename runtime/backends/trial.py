"""`python -m framelift.runtime.backends.trial BACKEND MODEL DEVICE [RIVAL]`: the child of `probe`.

Tries the backend and prints {"reason": null} if that worked, else {"reason": "why not"}. With
RIVAL, a model for the processor, the GPU must also have memory of its own, or be faster.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from time import perf_counter

import numpy as np

from ...common.errors import FrameliftError
from ..models.file import ModelSpec, read_spec
from ..session.protocol import Session
from .onnx_cpu import OnnxCpuSession
from .select import find_backend

_SIDE = 64
# What is timed beside the processor: large enough that copies and calls do not decide.
_TIMED_SIDES = (240, 432)
_TIMES = 3


def trial(name: str, model: Path, device: int = 0, rival: Path | None = None) -> str | None:
    """Try the backend in this process; why that failed or it is too slow, or None."""
    reason = None
    try:
        spec = read_spec(model)
        backend = find_backend(name)
        if backend.try_out is not None:
            backend.try_out(spec, device)
            return None
        session = backend.open(spec, None, device)
        run_frame(session, spec, (_SIDE, _SIDE))
        if rival is not None:
            reason = slower_than(session, spec, read_spec(rival))
        session.close()
    except FrameliftError as error:
        return str(error)
    return reason


def slower_than(session: Session, spec: ModelSpec, rival: ModelSpec) -> str | None:
    """Why a GPU is not worth it beside `rival` on the processor, or None if it is."""
    if getattr(session, "is_software", False):
        return f"{session.device} is not a GPU"
    if getattr(session, "is_discrete", True):
        return None
    gpu_ms = fastest_ms(session, spec)
    processor = OnnxCpuSession(rival)
    cpu_ms = fastest_ms(processor, rival)
    processor.close()
    if gpu_ms < cpu_ms:
        return None
    return (
        f"{session.device} is slower than the CPU ({gpu_ms:.0f} ms a frame beside {cpu_ms:.0f} ms)"
    )


def fastest_ms(session: Session, spec: ModelSpec) -> float:
    """The least time that a frame of medium size takes, once everything is prepared."""
    times = [run_frame(session, spec, _TIMED_SIDES) for _ in range(1 + _TIMES)]
    return 1000 * min(times[1:])


def run_frame(session: Session, spec: ModelSpec, sides: tuple[int, int]) -> float:
    """Run a frame of about these sides, or of the model's own; how many seconds that took."""
    multiple = spec.size_multiple
    usual = (1, *(math.ceil(side / multiple) * multiple for side in sides))
    shape = [fixed or size for fixed, size in zip(spec.frame_shape, usual, strict=True)]
    count, height, width = shape
    frames = np.zeros((count, height, width, 3), np.uint8)
    pictures = count // spec.window
    out = np.empty((pictures, height * spec.scale, width * spec.scale, 3), np.uint8)
    begun = perf_counter()
    session.run(frames, out)
    return perf_counter() - begun


def main(argv: list[str]) -> None:
    backend, model, device, *rivals = argv
    rival = Path(rivals[0]) if rivals else None
    reason = trial(backend, Path(model), int(device), rival)
    sys.stdout.write(json.dumps({"reason": reason}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
