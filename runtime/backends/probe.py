"""Tries a backend in a child process, since a broken GPU library can end the process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path


def probe_in_child(
    backend: str,
    model: Path,
    device: int = 0,
    rival: Path | None = None,
    *,
    timeout_seconds: float = 120.0,
) -> str | None:
    """Why `backend` cannot run `model` on GPU `device`, or None if it did in a child process.

    With `rival`, a model for the processor, also why the GPU is not to be preferred to that.
    """
    module = "framelift.runtime.backends.trial"
    rivals = [] if rival is None else [str(rival)]
    command = [sys.executable, "-m", module, backend, str(model), str(device), *rivals]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return f"its trial run did not end within {timeout_seconds:g} s"
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
