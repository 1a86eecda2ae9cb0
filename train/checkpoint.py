"""Contract 1: one .safetensors file with the inference weights and a JSON header.

Header key `framelift` holds one JSON document:
{"format": 1, "task": "super-resolution" or "style", "network": {"name": ..., hyper-parameters},
 "scale": s, "colour": "RGB in [0, 1]", "training": {summary}}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..imaging.atomic import write_atomic
from ..imaging.errors import CheckpointError
from .networks import NetworkConfig, SRNetwork, build_network, task_of

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and how it came to be."""

    network_config: NetworkConfig
    weights: dict[str, Tensor]
    training: dict[str, Any]

    def network(self) -> SRNetwork:
        """The network with these weights, in eval mode on the CPU."""
        network = build_network(self.network_config)
        network.load_state_dict(self.weights)
        return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically. Raises OutputError if it cannot be written."""
    header = {
        "format": FORMAT,
        "task": task_of(checkpoint.network_config),
        "network": msgspec.to_builtins(checkpoint.network_config),
        "scale": checkpoint.network_config.scale,
        "colour": "RGB in [0, 1]",
        "training": checkpoint.training,
    }
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.weights.items()
    }
    write_atomic(path, save(weights, metadata={"framelift": json.dumps(header)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint; nothing is unpickled.

    Raises CheckpointError if the file is missing, damaged, no framelift checkpoint, of a newer
    format, or if its weights do not fit the network it names.
    """
    if path.is_dir():
        raise CheckpointError(
            f"checkpoint {path}: is a folder; name a file in it, such as model.safetensors"
        )
    if not path.is_file():
        raise CheckpointError(f"checkpoint {path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"checkpoint {path}: not a readable .safetensors file ({error})"
        ) from error
    if "framelift" not in metadata:
        raise CheckpointError(
            f"checkpoint {path}: a .safetensors file, but not a framelift checkpoint; "
            "make one with `framelift train`"
        )
    try:
        header = json.loads(metadata["framelift"])
        version = int(header["format"])
        if version > FORMAT:
            raise CheckpointError(
                f"checkpoint {path}: format {version}, this framelift reads up to {FORMAT}; "
                "upgrade framelift"
            )
        config = msgspec.convert(header["network"], NetworkConfig)
        training = dict(header["training"])
    except msgspec.ValidationError as error:
        raise CheckpointError(
            f"checkpoint {path}: names a network that this framelift does not know ({error}); "
            "upgrade framelift"
        ) from error
    except (ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"checkpoint {path}: damaged header ({error})") from error
    checkpoint = Checkpoint(config, weights, training)
    try:
        checkpoint.network()
    except RuntimeError as error:
        summary = " ".join(str(error).split())[:200]
        raise CheckpointError(
            f"checkpoint {path}: weights do not fit the network ({summary})"
        ) from error
    return checkpoint
