"""Targets from a trained network instead of the photographs (Hinton et al. 2015, "Distilling the
Knowledge in a Neural Network")."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ...common.errors import ConfigError
from ..checkpoints.file import load_checkpoint
from ..checkpoints.initial import origin_of
from ..config.schema import TrainConfig
from ..networks import build_network, task_of
from .step import precision_of

VIEWS = 8
"""Rotations by quarter turns, each also mirrored."""


class Teacher:
    """A frozen network of the same scale as the one that is trained.

    A photograph has detail that its reduced form does not show, so each crop pulls the network
    elsewhere. A teacher's output is what can be known of the detail, and has none of that noise.
    """

    def __init__(self, path: Path, config: TrainConfig, device: torch.device) -> None:
        """Load the checkpoint at `path`.

        Raises CheckpointError for a file that is no readable checkpoint, and ConfigError for a
        network of another scale or task, or one that does not accept crops of this size.
        """
        checkpoint = load_checkpoint(path)
        found, scale = checkpoint.network_config, config.network.scale
        if task_of(found) != config.task:
            raise ConfigError(f"teacher {path}: is a style; use a super-resolution network")
        if found.scale != scale:
            raise ConfigError(
                f"teacher {path}: enlarges ×{found.scale}, the network ×{scale}; use a teacher of "
                "the same scale"
            )
        self.origin = origin_of(path, "teacher")
        self.network = build_network(found)
        self.network.load_state_dict(checkpoint.weights)
        self.network.eval().requires_grad_(False).to(device)
        side, multiple = config.data.crop // scale, self.network.size_multiple
        if side % multiple or side < self.network.minimum_side:
            raise ConfigError(
                f"teacher {path}: does not accept inputs of {side}×{side} pixels; choose a "
                f"data.crop that is a multiple of {scale * multiple} and at least "
                f"{scale * self.network.minimum_side}"
            )
        if config.compute.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.compute, self.device = config.compute, device

    def targets(self, lr: Tensor, step: int) -> Tensor:
        """The mean of the outputs for two of the eight views of the inputs.

        Each step has another pair, so that over 56 steps the mean is that of all eight, which is
        better than one output (Timofte et al. 2016, "Seven ways to improve example-based single
        image super resolution").

        Args:
            lr: float N×3×H×H RGB in [0, 1].

        Returns float32 N×3×(sH)×(sH), in the same convention.
        """
        first, turn = step % VIEWS, 1 + step // VIEWS % (VIEWS - 1)
        views = first, (first + turn) % VIEWS
        parts = lr.tensor_split(self.compute.accumulate)
        with torch.no_grad(), precision_of(self.compute, self.device):
            return torch.cat([self._mean(part, views) for part in parts])

    def _mean(self, lr: Tensor, views: Sequence[int]) -> Tensor:
        outputs = [_back(self.network(_seen(lr, view)), view).float() for view in views]
        return torch.stack(outputs).mean(0)


def _seen(pictures: Tensor, view: int) -> Tensor:
    if view >= VIEWS // 2:
        pictures = pictures.flip(-1)
    return torch.rot90(pictures, view % 4, (-2, -1))


def _back(pictures: Tensor, view: int) -> Tensor:
    pictures = torch.rot90(pictures, -(view % 4), (-2, -1))
    return pictures.flip(-1) if view >= VIEWS // 2 else pictures
