"""Contract 1: one .safetensors file with the inference weights and a JSON header.

Header key `framelift` holds one JSON document:
{"format": 1, "task": "super-resolution" or "style", "network": {"name": ..., hyper-parameters},
 "scale": s, "colour": "RGB in [0, 1]", "training": {summary}}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...common.errors import CheckpointError
from ...common.files import write_atomic
from ..networks import NetworkConfig, SRNetwork, build_network, task_of
from ..networks.outline import depth_of, named_by, outline
from .header import FORMAT, KEY, parse_header
from .soundness import first_not_finite


@dataclass(frozen=True)
class Checkpoint:
    """A trained network and how it came to be."""

    network_config: NetworkConfig
    weights: dict[str, Tensor]
    training: Mapping[str, Any]
    """See `Summary`."""

    def network(self) -> SRNetwork:
        """The network with these weights, in eval mode on the CPU."""
        network = build_network(self.network_config)
        network.load_state_dict(self.weights)
        return network.eval()


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file atomically.

    Raises OutputError if it cannot be written, CheckpointError for weights that are not finite,
    which never replace what is there.
    """
    if spoilt := first_not_finite(checkpoint.weights):
        raise CheckpointError(f"checkpoint {path}: not written, {spoilt} contains NaN or infinity")
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
    write_atomic(path, save(weights, metadata={KEY: json.dumps(header)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read and check a checkpoint; nothing is unpickled.

    Raises CheckpointError if the file is missing, damaged, no framelift checkpoint, of a newer
    format, or if its weights do not fit the network it names or are not finite.
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
    if KEY not in metadata:
        raise _without_header(path, weights)
    config, training = _read_header(path, metadata[KEY])
    if misfit := _misfit(config, weights):
        raise CheckpointError(f"checkpoint {path}: weights do not fit the network ({misfit})")
    if spoilt := first_not_finite(weights):
        raise CheckpointError(
            f"checkpoint {path}: {spoilt} contains NaN or infinity; its training diverged, "
            "train again"
        )
    return Checkpoint(config, weights, training)


def _without_header(path: Path, weights: dict[str, Tensor]) -> CheckpointError:
    if (name := named_by(weights)) is not None:
        return CheckpointError(
            f"checkpoint {path}: contains the weights of Framelift's network {name!r} without the "
            "header that describes it, which other tools drop when they save a file again; use "
            "the file that `framelift train` wrote"
        )
    return CheckpointError(
        f"checkpoint {path}: a .safetensors file, but not a framelift checkpoint; "
        "make one with `framelift train`"
    )


def _read_header(path: Path, text: str) -> tuple[NetworkConfig, dict[str, Any]]:
    header = parse_header(path, text)
    try:
        return msgspec.convert(header["network"], NetworkConfig), header["training"]
    except (msgspec.ValidationError, OverflowError) as error:
        raise CheckpointError(
            f"checkpoint {path}: names a network that this framelift does not know "
            f"({str(error)[:160]}); upgrade framelift"
        ) from error


def _misfit(config: NetworkConfig, weights: dict[str, Tensor]) -> str | None:
    """Why weights are not those of a network; None if they are.

    Whatever a header asks for, no memory is taken and no more layers are built than there are
    tensors in the file.
    """
    if depth_of(config) > len(weights):
        return f"{depth_of(config)} layers, but {len(weights)} tensors"
    try:
        wanted = outline(config)
    except ValueError as error:
        return str(error)[:160]
    if odd := wanted.keys() ^ weights.keys():
        name = min(odd)
        return f"{name} is {'missing' if name in wanted else 'not of it'}"
    for name, tensor in weights.items():
        kinds = [value.is_floating_point() for value in (tensor, wanted[name])]
        if tensor.shape != wanted[name].shape or kinds[0] != kinds[1]:
            found, expected = (
                f"{'×'.join(map(str, value.shape)) or 'a number'} {value.dtype}"
                for value in (tensor, wanted[name])
            )
            return f"{name} is {found}, expected {expected}".replace("torch.", "")
    return None
