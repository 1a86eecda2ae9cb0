"""A tiny training run."""

from __future__ import annotations

from pathlib import Path

import torch

from framelift.train.config import TrainConfig
from framelift.train.config_file import load_config

CPU = torch.device("cpu")

CONFIG = """
steps = 8
ema = 0.9
tensorboard = false
log_every = 2
checkpoint_every = 4
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
[optimizer]
lr = 2e-3
[schedule]
kind = "cosine"
"""


def config(tmp_path: Path, photos: Path, *overrides: str) -> TrainConfig:
    path = tmp_path / "config.toml"
    path.write_text(CONFIG)
    return load_config(str(path), overrides, [str(photos)])
