"""Runs a backend once in a child process, since a broken GPU library can end the process.

`python -m framelift.runtime.backends.probe BACKEND MODEL` prints {"reason": null}, or why not.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from ...imaging.errors import FrameliftError
from ..model_file import read_spec

_TIMEOUT_S = 120
_SIDE = 64


def probe_in_child(backend: str, model: Path) -> str | None:
    """Why `backend` cannot run `model` on this machine, or None if it did in a child process."""
    command = [sys.executable, "-m", "framelift.runtime.backends.probe", backend, str(model)]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"its trial run did not end within {_TIMEOUT_S} s"
    except OSError as error:
        return f"its trial run could not be started: {error.strerror}"
    if child.returncode < 0:
        return f"its trial run crashed ({signal.Signals(-child.returncode).name})"
    try:
        reason = json.loads(child.stdout.strip().splitlines()[-1])["reason"]
    except (IndexError, KeyError, TypeError, ValueError):
        lines = child.stderr.strip().splitlines() or [f"exit code {child.returncode}"]
        return f"its trial run failed: {lines[-1]}"
    return None if reason is None else str(reason)


def trial(backend: str, model: Path) -> str | None:
    """Run one small frame in this process; why it failed, or None."""
    from .select import open_named

    try:
        spec = read_spec(model)
        session = open_named(spec, backend)
        least = -(-_SIDE // spec.size_multiple) * spec.size_multiple
        count, height, width = (
            fixed or size for fixed, size in zip(spec.frame_shape, (1, least, least), strict=True)
        )
        frames = np.zeros((count, height, width, 3), np.uint8)
        out = np.empty((count, height * spec.scale, width * spec.scale, 3), np.uint8)
        session.run(frames, out)
        session.close()
    except FrameliftError as error:
        return str(error)
    return None


def main(argv: list[str]) -> None:
    backend, model = argv
    sys.stdout.write(json.dumps({"reason": trial(backend, Path(model))}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
