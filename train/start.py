"""From the command line's words to a running `Trainer`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ..imaging.errors import BackendError, ConfigError, OutputError
from .config import load_config
from .trainer import Trainer


def start(
    config: str,
    folders: Sequence[Path],
    out: Path,
    overrides: Sequence[str] = (),
    validation: Path | None = None,
    *,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Train as `config` (a path or preset name) says; returns the checkpoint's path.

    Raises ConfigError, InputError, CheckpointError, BackendError, OutputError, TrainingError and
    Interrupted, each with one line for the user.
    """
    overrides = [*overrides]
    if validation is not None:
        overrides.append(f'validation.folder="{validation}"')
    resolved = load_config(config, overrides, [str(folder) for folder in folders])
    if not resolved.data.folders:
        raise ConfigError("no training photographs: give --data DIR or set data.folders")
    if not resume and (out / "state.pt").exists():
        raise OutputError(f"{out} already holds a run: give --resume, or another --out folder")
    if threads is None:
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"run folder {out}: {error.strerror}") from error
    trainer = Trainer(resolved, out, chosen)
    for line in trainer.photos.skipped[:10]:
        say(f"skipped {line}")
    if (more := len(trainer.photos.skipped) - 10) > 0:
        say(f"skipped {more} more")
    if resume:
        trainer.resume()
    say(
        f"{len(trainer.photos.photos)} photographs, {resolved.network}, on {chosen}, "
        f"steps {trainer.step} to {resolved.steps}"
    )
    return trainer.run(quiet=quiet)


def choose_device(name: str) -> torch.device:
    """`auto` is the first CUDA device if there is one, else the CPU. Raises BackendError."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise BackendError(f"device {name!r}: unknown; use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            f"device {name!r}: this PyTorch sees no CUDA device; use --device cpu, or install the "
            "NVIDIA driver and a CUDA build of torch"
        )
    return device
