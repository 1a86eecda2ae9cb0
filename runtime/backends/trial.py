"""`python -m framelift.runtime.backends.trial BACKEND MODEL DEVICE`: the child side of `probe`.

Tries the backend and prints {"reason": null} if that worked, else {"reason": "why not"}.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np

from ...imaging.errors import FrameliftError
from ..model_file import ModelSpec, read_spec
from .select import Backend, find_backend

_SIDE = 64


def trial(name: str, model: Path, device: int = 0) -> str | None:
    """Try the backend in this process; why that failed, or None."""
    try:
        spec = read_spec(model)
        backend = find_backend(name)
        if backend.try_out is None:
            _run_one_frame(backend, spec, device)
        else:
            backend.try_out(spec, device)
    except FrameliftError as error:
        return str(error)
    return None


def _run_one_frame(backend: Backend, spec: ModelSpec, device: int) -> None:
    side = math.ceil(_SIDE / spec.size_multiple) * spec.size_multiple
    sizes = zip(spec.frame_shape, (1, side, side), strict=True)
    count, height, width = (fixed or size for fixed, size in sizes)
    frames = np.zeros((count, height, width, 3), np.uint8)
    out = np.empty((count, height * spec.scale, width * spec.scale, 3), np.uint8)
    session = backend.open(spec, None, device)
    session.run(frames, out)
    session.close()


def main(argv: list[str]) -> None:
    backend, model, device = argv
    reason = trial(backend, Path(model), int(device))
    sys.stdout.write(json.dumps({"reason": reason}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
