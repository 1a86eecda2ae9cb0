"""A small network with random weights, and pictures to calibrate it on."""

from __future__ import annotations

from pathlib import Path

import cv2
import torch

from framelift.export.parity.comparison import REFERENCE
from framelift.train.checkpoints.file import Checkpoint, save_checkpoint
from framelift.train.networks import Realtime, RealtimeConfig

CONFIG = RealtimeConfig(scale=2, channels=12, layers=2, expansion=1)


def random_checkpoint(folder: Path, config: RealtimeConfig = CONFIG) -> Path:
    """Write a checkpoint of the network, always the same."""
    torch.manual_seed(0)
    path = folder / "net.safetensors"
    save_checkpoint(path, Checkpoint(config, Realtime(config).state_dict(), {}))
    return path


def photo_pieces(folder: Path, count: int, height: int = 96, width: int = 112) -> Path:
    """Fill a folder with pieces of the reference photograph."""
    image = cv2.imread(str(REFERENCE))
    assert image is not None
    for index in range(count):
        piece = image[8 * index :, 16 * index :][:height, :width]
        assert piece.shape[:2] == (height, width)
        cv2.imwrite(str(folder / f"{index}.png"), piece)
    return folder
