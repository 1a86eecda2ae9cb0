"""Trains the shipped models on, from their checkpoints, for the time that is left.

python -m hardware.parts.zoo DATA HR RUNS VGG [--dry-run]

VGG are weights of VGG-16, "" for none: then models for perception are left out. So are those for
footage, whose pictures take minutes to encode.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from models.plan import FOLDER, read_zoo

from .. import results

_SETTINGS = ("compute.amp=bf16", "compute.channels_last=true", "tensorboard=false")
_TINY = ("data.crop=64", "data.batch=2", "steps=4", "log_every=1", "validation.every=2")
# What loading, the first validation and saving take.
_OVERHEAD_SECONDS = 25.0
_LEAST_SECONDS = 5.0


def main(data: Path, hr: Path, runs: Path, vgg: str, dry_run: bool) -> int:
    """Train and note how far each came. What is interrupted is saved, and noted too."""
    names = []
    for model in read_zoo().model:
        if not (FOLDER / f"{model.name}.safetensors").is_file() or model.name.endswith("-video"):
            continue
        if model.perceptual and not vgg:
            _note(model.name, runs, "left out: no weights of VGG-16 were given")
            continue
        names.append(model.name)
    if dry_run:
        names = names[:2]
    jobs = min(len(names), max(1, (os.cpu_count() or 1) // 2))
    rounds = -(-len(names) // jobs)
    seconds = max(_LEAST_SECONDS, (results.seconds_left() - _OVERHEAD_SECONDS) / rounds)
    settings = (*_SETTINGS, *(_TINY if dry_run else ()))
    command = [
        sys.executable,
        "-m",
        "models.train",
        *names,
        "--only",
        "train",
        "--from-shipped",
        "--data",
        str(data),
        "--hr",
        str(hr),
        "--runs",
        str(runs),
        "--jobs",
        str(jobs),
        "--minutes",
        f"{seconds / 60:.3f}",
        *(part for one in settings for part in ("--set", one)),
        *(("--vgg", vgg) if vgg else ()),
    ]
    child = subprocess.Popen(command)

    def stop(number: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    code = child.wait()
    for name in names:
        _note(name, runs, f"not begun (exit code {code})")
    return code


def _note(name: str, runs: Path, otherwise: str) -> None:
    """A row for a model; it says `otherwise` where nothing was trained."""
    folder = runs / name
    history = results.objects(folder / "history.jsonl")
    scores = [row["psnr_y"] for row in history if "psnr_y" in row]
    speeds = [row["images_per_s"] for row in history if "images_per_s" in row]
    results.add(
        "model",
        model=name,
        steps=history[-1].get("step") if history else None,
        images_per_s=speeds[-1] if speeds else None,
        first_db=scores[0] if scores else None,
        last_db=scores[-1] if scores else None,
        checkpoint=str(folder / "model.safetensors"),
        note="" if history else otherwise,
    )


if __name__ == "__main__":
    photographs, originals, folder = map(Path, sys.argv[1:4])
    sys.exit(main(photographs, originals, folder, sys.argv[4], "--dry-run" in sys.argv[5:]))
