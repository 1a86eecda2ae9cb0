"""What is exported: a framelift checkpoint or a community model, under one roof."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ..imaging.errors import CheckpointError
from ..train.checkpoint import load_checkpoint
from ..train.networks import Task, task_of
from ..train.networks.outline import named_by
from ..train.soundness import first_not_finite

PICKLED = (".pth", ".pt", ".ckpt")


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
    training: dict[str, Any] = field(default_factory=dict)
    task: Task = "super-resolution"
    batch: int | None = None

    @property
    def parameters(self) -> int:
        """Number of parameters of the deployed network."""
        return sum(parameter.numel() for parameter in self.deployed.parameters())


def load_source(path: Path) -> Source:
    """Read a checkpoint of framelift or a community model; nothing that is pickled is executed.

    Raises CheckpointError if the file is missing, damaged, of no known network or not finite, and
    MissingDependencyError if it needs the `community` extra.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    suffix = path.suffix.lower()
    if suffix in PICKLED or (suffix == ".safetensors" and not _is_ours(path)):
        from .community import load_community

        community = load_community(path)
        if spoilt := first_not_finite(community.weights):
            raise CheckpointError(f"checkpoint {path}: {spoilt} holds NaN or infinity")
        return community
    if suffix != ".safetensors":
        known = ", ".join((".safetensors", *PICKLED))
        raise CheckpointError(f"checkpoint {path}: not a checkpoint by its name; use {known}")
    return _ours(path)


def weights_sha256(weights: dict[str, Tensor]) -> str:
    """sha256 over names, shapes and values of the weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, framework="pt") as file:
            # Ours that have lost their header are explained by our reader, too.
            return "framelift" in (file.metadata() or {}) or named_by(file.keys()) is not None
    except (SafetensorError, OSError):
        return True  # the reader of our checkpoints says what is wrong


def _ours(path: Path) -> Source:
    checkpoint = load_checkpoint(path)
    network = checkpoint.network()
    return Source(
        network=network,
        deployed=network.deploy(),
        scale=network.scale,
        size_multiple=network.size_multiple,
        minimum=network.minimum_side,
        halo=network.halo,
        description=msgspec.to_builtins(checkpoint.network_config),
        weights=checkpoint.weights,
        training=checkpoint.training,
        task=task_of(checkpoint.network_config),
    )
