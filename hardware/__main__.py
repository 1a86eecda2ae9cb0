"""`python -m hardware`, which `make gpu` runs: all tests and benchmarks for an NVIDIA GPU."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .day import Day
from .plan import ROOT, TOTAL_SECONDS, Settings, parts

_DEFAULT_OUT = Path("reports/gpu")


def main(arguments: list[str]) -> int:
    """Run and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m hardware",
        description="Everything that a machine with an NVIDIA GPU must show, unattended: what it "
        "is, the tests marked gpu, latency, video, training. Results are written as they come, to "
        "summary.md and summary.json in the folder.",
    )
    parser.add_argument("--out", type=Path, default=_DEFAULT_OUT, help="folder of the results")
    parser.add_argument("--seconds", type=float, help="for all of it [default: 720]")
    parser.add_argument(
        "--wheels", type=Path, help="folder of wheels to use, where the network is not"
    )
    parser.add_argument(
        "--data", type=Path, default=ROOT / "examples", help="photographs to train on"
    )
    parser.add_argument(
        "--hr", type=Path, default=ROOT / "examples", help="originals to validate on"
    )
    parser.add_argument(
        "--vgg", type=Path, help="weights of VGG-16, for the models that are trained for perception"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="rehearse with tiny sizes, also without a GPU"
    )
    given = parser.parse_args(arguments)
    if (problem := _problem(given)) is not None:
        print(f"hardware: {problem}", file=sys.stderr)
        return 2
    out = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    seconds = given.seconds or TOTAL_SECONDS
    settings = Settings(
        out,
        seconds,
        given.wheels and given.wheels.absolute(),
        given.data.absolute(),
        given.hr.absolute(),
        given.vgg and given.vgg.absolute(),
        given.dry_run,
    )
    code = Day(settings, parts(settings), _say).run()
    _say(f"results: {out / 'summary.md'}")
    return code


def _problem(given: argparse.Namespace) -> str | None:
    for name in ("wheels", "data", "hr"):
        folder = getattr(given, name)
        if folder is not None and not folder.is_dir():
            return f"{folder}: no such folder (--{name})"
    if given.vgg is not None and not given.vgg.is_file():
        return f"{given.vgg}: no such file (--vgg)"
    if given.seconds is not None and not 10 <= given.seconds <= 86_400:
        return f"--seconds {given.seconds:g}: give 10 to 86400"
    dev = Path("/dev")
    found = [*dev.glob("nvidia[0-9]*"), *dev.glob("dxg")]
    if sys.platform == "linux" and not found and not given.dry_run:
        return (
            "no NVIDIA GPU (/dev/nvidia0 is missing); --dry-run, or make gpu DRY_RUN=1, rehearses "
            "without one"
        )
    return None


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
