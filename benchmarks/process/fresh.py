"""Start-up time and peak memory of one case, in a process of its own.

`measure_start` starts `python -m framelift.benchmarks.process.fresh CASE`, which loads the
model, upscales a few frames and prints one JSON line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from ...common.errors import BackendError, FrameliftError
from ..machine.gpus import device_memory_used
from ..shared.settings import LatencySettings

if TYPE_CHECKING:
    from ..report.results import Start

# A TensorRT engine or a compiled PyTorch network may have to be built.
_LIMIT_SECONDS = 1800
_MORE_CALLS = 2
# Asked much more often, the driver would disturb the start.


def measure_start(
    model: str | Path, case: LatencySettings, *, memory_every_seconds: float = 0.25
) -> Start:
    """How long a new process takes to its first frame, and how much memory it needs.

    Returns `process_ms` (until the interpreter runs our code), `load_ms` (the engine's import and
    the model), `first_frame_ms`, their sum `cold_start_ms`, `engine_build_ms` (of an engine that
    was built now, within the first frame, or lay in the cache), `peak_rss_bytes` and
    `device_memory_bytes` (by how much the use of the GPU's memory grew at most, by all programs);
    null is unknown. Raises BackendError with the reason that the process gave.
    """
    from msgspec import convert

    from ..report.results import Start

    with _device_memory(memory_every_seconds) as growth:
        started = time.monotonic_ns()
        task = json.dumps({"model": str(model), "case": asdict(case), "started_ns": started})
        command = [sys.executable, "-m", "framelift.benchmarks.process.fresh", task]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BackendError(
                f"{case.backend}: no frame within {_LIMIT_SECONDS} s in a new process"
            ) from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise BackendError(f"{case.backend}: failed in a new process ({reason})")
    result: dict[str, Any] = json.loads(lines[-1])
    # A process sees what it uses when it has all; what it needed for a moment is seen from outside.
    seen = [value for value in (*growth, result["device_memory_bytes"]) if value is not None]
    return convert(result | {"device_memory_bytes": max(seen, default=None)}, Start)


@contextmanager
def _device_memory(every_seconds: float) -> Iterator[list[int]]:
    """Inside, the list gets by how many bytes the use of the GPU's memory has grown, again and
    again; it stays empty where there is no GPU.
    """
    growth: list[int] = []
    if (before := device_memory_used()) is None:
        yield growth
        return
    over = Event()

    def watch() -> None:
        while not over.wait(every_seconds):
            if (now := device_memory_used()) is not None:
                growth.append(now - before)

    watcher = Thread(target=watch, name="device memory")
    watcher.start()
    try:
        yield growth
    finally:
        over.set()
        watcher.join()


def run(model: str, case: LatencySettings, started_ns: int) -> dict[str, object]:
    """What the new process does; `started_ns` is the parent's clock when it was started."""
    entered_ns = time.monotonic_ns()
    from ...runtime import Upscaler
    from ..machine.facts import peak_rss_bytes
    from ..rivals.contender import open_contender
    from ..shared.frames import input_frames

    frame = input_frames(case)[0]
    used_before = device_memory_used()
    begun_ns = time.monotonic_ns()
    with closing(open_contender(model, case)) as contender:
        loaded_ns = time.monotonic_ns()
        result = contender(frame)
        first_ns = time.monotonic_ns()
        for _ in range(_MORE_CALLS):
            contender(frame, out=result)
        used_after = device_memory_used()
        peak = peak_rss_bytes()
        build_seconds = contender.build_seconds if isinstance(contender, Upscaler) else None
    preparing_ns = begun_ns - entered_ns  # frames and questions of ours: no part of a start
    grown = None if used_before is None or used_after is None else used_after - used_before
    return {
        "process_ms": (entered_ns - started_ns) / 1e6,
        "load_ms": (loaded_ns - begun_ns) / 1e6,
        "first_frame_ms": (first_ns - loaded_ns) / 1e6,
        "cold_start_ms": (first_ns - started_ns - preparing_ns) / 1e6,
        "engine_build_ms": None if build_seconds is None else 1000 * build_seconds,
        "peak_rss_bytes": peak,
        "device_memory_bytes": grown,
    }


def main(argv: list[str]) -> int:
    """Entry point of the new process."""
    task = json.loads(argv[1])
    try:
        result = run(task["model"], LatencySettings(**task["case"]), task["started_ns"])
    except FrameliftError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write("\n" + json.dumps(result) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
