"""The parts, in order, with how long each may take, and what became of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from .results import Row

ROOT = Path(__file__).parents[1]

TOTAL_SECONDS = 720.0

# The best first. What ONNX Runtime and PyTorch do without framelift is measured beside them, and
# last what compiles for minutes.
ENGINES = (
    "tensorrt",
    "tensorrt-rtx",
    "onnx-cuda",
    "onnx-tensorrt",
    "ort-cuda",
    "onnx-webgpu",
    "torch-compile-cuda",
)
# What the rehearsal measures instead of nothing, where there is no GPU.
_ON_PROCESSORS = ("onnx-cpu", "ort-numpy")

REST = float("inf")
"""The limit of a part that takes what is left."""

# Seconds of a whole run; a shorter one has as much less for each.
_LIMITS = {
    "packages": 60.0,
    "environment": 60.0,
    "tests": 110.0,
    "latency": 200.0,
    "video": 60.0,
    "training": 60.0,
    "zoo": REST,
}


@dataclass(frozen=True)
class Settings:
    """The options of a run. `wheels` is a folder of packages to use, `data` are photographs to
    train on, `hr` originals to validate on, `vgg` weights of VGG-16; a `dry_run` does all of it
    with tiny sizes, also without a GPU.
    """

    out: Path
    seconds: float = TOTAL_SECONDS
    wheels: Path | None = None
    data: Path = ROOT / "examples"
    hr: Path = ROOT / "examples"
    vgg: Path | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class Part:
    """A command, and how long it may take, together with all others of its `group`."""

    name: str
    title: str
    command: tuple[str, ...]
    group: str
    limit_s: float


@dataclass
class Account:
    """What became of each part; `state` is "waiting", "running", "no time left", "stopped" or one
    of `process.Ended`.
    """

    part: Part
    state: str = "waiting"
    seconds: float = 0.0
    limit_s: float = 0.0
    exit_code: int | None = None
    last_line: str = ""
    rows: list[Row] = field(default_factory=list)


def parts(settings: Settings) -> list[Part]:
    """All of them."""
    scale = settings.seconds / TOTAL_SECONDS
    dry = ("--dry-run",) if settings.dry_run else ()

    def part(group: str, title: str, *arguments: str, name: str = "", module: str = "") -> Part:
        command = (sys.executable, "-m", module or f"hardware.parts.{group}", *arguments)
        return Part(name or group, title, command, group, _LIMITS[group] * scale)

    data, hr = str(settings.data), str(settings.hr)
    vgg = "" if settings.vgg is None else str(settings.vgg)
    found = []
    if settings.wheels is not None:
        found.append(
            part("packages", "Packages", str(settings.wheels), str(settings.out / "packages"))
        )
    found += [
        part("environment", "Environment", *dry),
        part("tests", "Tests on the GPU"),
        *(
            part("latency", f"Latency: {name}", name, *dry, name=f"latency-{name}")
            for name in (*ENGINES, *(_ON_PROCESSORS if settings.dry_run else ()))
        ),
        part("video", "From file to file", str(settings.out / "clip.mp4"), *dry),
        part("training", "Training", data, *dry),
        part("zoo", "The zoo, trained on", data, hr, str(settings.out / "zoo"), vgg, *dry),
    ]
    return found
