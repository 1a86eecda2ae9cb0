"""A tiny training run."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import torch

from framelift.train.config.file import load_config
from framelift.train.config.schema import TrainConfig
from framelift.train.loop.trainer import Trainer

CPU = torch.device("cpu")

NETWORK = """
tensorboard = false
[network]
name = "realtime"
scale = 2
channels = 8
layers = 2
expansion = 1
[[loss]]
kind = "pixel"
norm = "charbonnier"
[data]
crop = 32
batch = 2
"""
"""What goes before it in a config is of the run, what goes behind it of `data`."""

CONFIG = f"""
steps = 8
ema = 0.9
log_every = 2
checkpoint_every = 4
{NETWORK}
[optimizer]
lr = 2e-3
[schedule]
kind = "cosine"
"""


def config(tmp_path: Path, photos: Path, *overrides: str) -> TrainConfig:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return load_config(str(path), overrides, [str(photos)])


def history(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def interrupt_after(trainer: Trainer, steps: int, number: int = signal.SIGINT) -> None:
    """Make the process get a signal during the given step."""
    step = trainer._train_step

    def signalling(lr: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
        if trainer.step == steps - 1:
            os.kill(os.getpid(), number)
        return step(lr, target)

    trainer._train_step = signalling  # type: ignore[method-assign]
