"""A network to export, wherever it came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...train.networks import Task


@dataclass(frozen=True)
class Source:
    """A network in eval mode: float N×3×H×W RGB in [0, 1] to N×3×(sH)×(sW).

    `deployed` computes the same with merged branches and folded norms. `halo` is what the network
    says of itself, None if it does not. `minimum` is the smallest height and width it takes,
    `batch` how many frames at a time, None for any number.
    """

    network: nn.Module
    deployed: nn.Module
    scale: int
    size_multiple: int
    minimum: int
    halo: int | None
    description: dict[str, Any]
    weights: dict[str, Tensor]
    training: Mapping[str, Any] = field(default_factory=dict)
    task: Task = "super-resolution"
    batch: int | None = None

    @property
    def parameters(self) -> int:
        """Number of parameters of the deployed network."""
        return sum(parameter.numel() for parameter in self.deployed.parameters())


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """sha256 over names, shapes and values of the weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()
