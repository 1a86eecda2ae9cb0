"""Loads what is exported: a framelift checkpoint or a community model."""

from __future__ import annotations

from pathlib import Path

import msgspec
from safetensors import SafetensorError, safe_open

from ...common.errors import CheckpointError
from ...train.checkpoints.file import load_checkpoint
from ...train.checkpoints.soundness import first_not_finite
from ...train.networks import task_of
from ...train.networks.outline import named_by
from .community import load_community
from .network import Source

PICKLED = (".pth", ".pt", ".ckpt")


def load_source(path: Path) -> Source:
    """Read a checkpoint of framelift or a community model; nothing that is pickled is executed.

    Raises CheckpointError if the file is missing, damaged, of no known network or not finite, and
    MissingDependencyError if it needs the `community` extra.
    """
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    suffix = path.suffix.lower()
    if suffix in PICKLED or (suffix == ".safetensors" and not _is_ours(path)):
        community = load_community(path)
        if spoilt := first_not_finite(community.weights):
            raise CheckpointError(f"checkpoint {path}: {spoilt} contains NaN or infinity")
        return community
    if suffix != ".safetensors":
        known = ", ".join((".safetensors", *PICKLED))
        raise CheckpointError(f"checkpoint {path}: not a checkpoint by its name; use {known}")
    return _ours(path)


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
