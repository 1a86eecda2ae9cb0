"""How long `framelift upscale` takes from its start to the first byte of a picture. Linux only.

    python -m framelift.benchmarks.process.start picture.png 15 old/bin/framelift new/bin/framelift

compares two installations, each with an environment of its own. They run in turn, so that what
else the machine does meets both; ratios are medians over the pairs.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

_LOOK_EVERY_SECONDS = 0.002
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Start:
    """Seconds since the process was started, on the clock and of the processors."""

    first_byte: float
    first_byte_processor: float
    end: float
    end_processor: float


def measure_start(command: str, picture: Path) -> Start:
    """Run `COMMAND upscale PICTURE OUT` once.

    Raises RuntimeError: it failed, or wrote nothing within a minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        child = subprocess.Popen(
            [command, "upscale", picture, f"{folder}/out.png"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not _has_bytes(Path(folder)):
            if time.perf_counter() - began > _PATIENCE_SECONDS or _has_ended(child.pid):
                child.kill()
                raise RuntimeError(f"{command} upscale {picture}: wrote nothing")
            time.sleep(_LOOK_EVERY_SECONDS)
        first = time.perf_counter() - began
        # The clock of another process, see clock_getcpuclockid(3).
        processor = time.clock_gettime((~child.pid << 3) | 2)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        end = time.perf_counter() - began
    if child.returncode:
        raise RuntimeError(f"{command} upscale {picture}: exit code {child.returncode}")
    return Start(first, processor, end, usage.ru_utime + usage.ru_stime)


def _has_bytes(folder: Path) -> bool:
    try:
        return any(file.stat().st_size for file in folder.iterdir())
    except FileNotFoundError:  # it was renamed in between
        return False


def _has_ended(process: int) -> bool:
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process, flags) is not None


def main() -> None:
    """Print a line for each command, with ratios to the first one."""
    picture, rounds, commands = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    for command in commands:
        measure_start(command, picture)  # files are in memory then
    found: dict[str, list[Start]] = {command: [] for command in commands}
    for index in range(rounds):
        for command in commands if index % 2 else commands[::-1]:
            found[command].append(measure_start(command, picture))
    sys.stdout.write(
        "to the first byte: seconds, of processors; to the end: seconds, of processors\n"
    )
    for command, starts in found.items():
        columns = list(zip(*map(astuple, starts), strict=True))
        bases = zip(*map(astuple, found[commands[0]]), strict=True)
        cells = (
            f"{statistics.median(mine):.3f} (×{statistics.median(_ratios(mine, base)):.2f})"
            for mine, base in zip(columns, bases, strict=True)
        )
        sys.stdout.write(f"{'  '.join(cells)}  {command}\n")


def _ratios(mine: tuple[float, ...], base: tuple[float, ...]) -> list[float]:
    return [one / other for one, other in zip(mine, base, strict=True)]


if __name__ == "__main__":
    main()
