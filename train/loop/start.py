"""From the command line's words to a running `Trainer`."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from ...common.errors import BackendError, ConfigError, OutputError
from ...common.notes import Say
from ...common.text import counted
from ..config.file import load_config
from ..config.schema import TrainConfig
from ..distributed import Processes, joined, processes_from_environment
from ..networks import NetworkConfig
from .claim import claimed
from .trainer import Trainer


@dataclass(frozen=True)
class RunOptions:
    """The arguments and options of `framelift train`. `config` is a path or the name of a preset,
    `overrides` are its settings as KEY=VALUE.
    """

    config: str
    folders: Sequence[Path]
    out: Path
    overrides: Sequence[str] = ()
    validation: Path | None = None
    vgg: str | None = None
    style: Path | None = None
    resume: bool = False
    device: str = "auto"
    threads: int | None = None
    quiet: bool = False


def start(options: RunOptions, say: Say = print) -> Path | None:
    """Train as the options say; returns the checkpoint's path.

    Started by torchrun it trains together with the other processes, of which all but the first
    return None.

    Raises ConfigError, InputError, CheckpointError, BackendError, OutputError, TrainingError,
    MissingDependencyError and Interrupted, each with one line for the user.
    """
    out = options.out
    resolved = resolve(
        options.config,
        options.folders,
        options.overrides,
        options.validation,
        options.vgg,
        options.style,
    )
    processes = processes_from_environment()
    if processes.leads:  # the others write nothing
        _check_folder(out)
    with claimed(out) if processes.leads else nullcontext():
        if not options.resume:
            _refuse_what_is_kept(out)
        limit_threads(options.threads, processes)
        chosen = choose_device(options.device, processes)
        with joined(processes, chosen):
            trainer = Trainer(resolved, out, chosen, processes, resumes=options.resume)
            if processes.leads:
                _introduce(trainer, say)
            path = trainer.run(quiet=options.quiet or not processes.leads)
            return path if processes.leads else None


def _refuse_what_is_kept(out: Path) -> None:
    if (out / "state.pt").exists():
        raise OutputError(f"{out} already contains a run: pass --resume, or another --out folder")
    if (kept := out / "model.safetensors").exists():
        raise OutputError(
            f"{out} already contains {kept.name}: move it, or use another --out folder"
        )


def _check_folder(out: Path) -> None:
    """Refuse a run folder that could not be made, before any work is done for it."""
    try:
        there = next(path for path in (out, *out.absolute().parents) if path.exists())
    except OSError as error:  # a name that is too long, for instance
        raise OutputError(f"run folder {out}: {error.strerror}") from error
    if out.is_symlink() and there != out:
        raise OutputError(f"run folder {out}: is a link to nothing; use another --out folder")
    if not there.is_dir():
        raise OutputError(f"run folder {out}: {there} is a file; use another --out folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"run folder {out}: the folder {there} is not writable")


def resolve(
    config: str,
    folders: Sequence[Path],
    overrides: Sequence[str] = (),
    validation: Path | None = None,
    vgg: str | None = None,
    style: Path | None = None,
) -> TrainConfig:
    """The config with the command line's settings. Raises ConfigError."""
    overrides = [*overrides]
    if validation is not None:
        overrides.append(f"validation.folder={_quoted(validation)}")
    if vgg is not None:
        overrides.append(f"vgg={_quoted(vgg)}")
    if style is not None:
        overrides.append(f"style.image={_quoted(style)}")
    resolved = load_config(config, overrides, [str(folder) for folder in folders])
    if not resolved.data.folders:
        raise ConfigError("no training photographs: pass --data DIR or set data.folders")
    if resolved.task == "style" and not resolved.style.image:
        raise ConfigError("no style image: pass --style IMAGE or set style.image")
    return resolved


def _quoted(text: str | Path) -> str:
    """A TOML string, which JSON's are as long as characters beyond ASCII are left as they are."""
    return json.dumps(str(text), ensure_ascii=False)


def _introduce(trainer: Trainer, say: Say) -> None:
    photos, processes = trainer.photos, trainer.processes
    for skipped in (photos.skipped, trainer.validator.skipped if trainer.validator else ()):
        for line in skipped[:10]:
            say(f"skipped {line}")
        if (more := len(skipped) - 10) > 0:
            say(f"skipped {more} more")
    for key, value in trainer.changed.items():
        say(f"from step {trainer.step} on with {key} = {value:g}, unlike the steps before")
    together = f" in {processes.count} processes" if processes.count > 1 else ""
    say(
        f"{counted(len(photos.photos), 'photograph')}, {_summary(trainer.config.network)}, "
        f"on {trainer.device}{together}, steps {trainer.step} to {trainer.config.steps}"
    )


def _summary(network: NetworkConfig) -> str:
    values = ", ".join(f"{key} {value}" for key, value in msgspec.structs.asdict(network).items())
    return f"{network.__struct_config__.tag} network ({values})"


def limit_threads(threads: int | None, processes: Processes) -> None:
    """Give PyTorch `threads` CPU threads, by default this process's share of the cores."""
    if threads is None and hasattr(os, "sched_getaffinity"):
        threads = max(1, len(os.sched_getaffinity(0)) // processes.local_count)
    if threads:
        torch.set_num_threads(threads)


def choose_device(name: str, processes: Processes | None = None) -> torch.device:
    """The CPU for `cpu`, a GPU for its number; `auto` is this process's GPU, or the CPU where there
    is none.

    Raises BackendError.
    """
    processes = processes or Processes()
    # PyTorch wraps numbers round at 256, and fails on other digits and leading zeros.
    if not re.fullmatch(r"auto|cpu|0|[1-9][0-9]*", name):
        raise BackendError(f"device {name!r}: unknown; use auto, cpu or the number of a GPU")
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise BackendError(
            f"device {name}: this PyTorch sees no CUDA device; use --device cpu, or install the "
            "NVIDIA driver and a CUDA build of torch"
        )
    count = torch.cuda.device_count()
    if name == "auto" and processes.local_rank >= count:
        raise BackendError(
            f"device {name!r}: process {processes.local_rank} of this machine finds {count} CUDA "
            "device(s); start at most one process for each"
        )
    if name != "auto" and processes.local_count > 1:
        raise BackendError(
            f"device {name}: {processes.local_count} processes of this machine would share it; "
            "leave --device out, each takes one of its own"
        )
    number = str(processes.local_rank) if name == "auto" else name
    if len(number) > 9 or int(number) >= count:  # int() refuses thousands of digits
        raise BackendError(
            f"device {number}: this machine has {count} CUDA device(s), numbered from 0; use a "
            "lower number"
        )
    device = torch.device("cuda", int(number))
    torch.cuda.set_device(device)
    return device
