"""Weights to start from: a framelift checkpoint, or a community file for `compact`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from torch import Tensor

from ...common.errors import CheckpointError, ConfigError
from ..networks import CompactConfig, NetworkConfig, RealtimeConfig, compact_config_of
from ..networks.inherit import can_inherit, inherited
from ..networks.realtime import Realtime
from .file import load_checkpoint
from .foreign import load_foreign
from .summary import Origin


def initial_weights(path: Path, config: NetworkConfig) -> dict[str, Tensor]:
    """The state dict of the network `config` that a file holds.

    A `.pth` is a community state dict of SRVGGNetCompact, also nested under `params_ema` or
    `params`; anything else is a framelift checkpoint, for `realtime` also of a smaller network or
    of a multiple of the scale. Raises CheckpointError for a file that cannot be read or holds
    numbers that are not finite, and ConfigError if it contains another network.
    """
    weights = _fitting_weights(path, config)
    for name, tensor in weights.items():
        if not tensor.float().isfinite().all():  # float8 has no isfinite
            raise CheckpointError(
                f"init {path}: {name} contains numbers that are not finite; use another file"
            )
    return weights


def _fitting_weights(path: Path, config: NetworkConfig) -> dict[str, Tensor]:
    if path.suffix not in (".pth", ".pt"):
        checkpoint = load_checkpoint(path)
        found = checkpoint.network_config
        if found == config:
            return checkpoint.weights
        if (
            isinstance(found, RealtimeConfig)
            and isinstance(config, RealtimeConfig)
            and can_inherit(found, config)
        ):
            trained = Realtime(found)
            trained.load_state_dict(checkpoint.weights)
            return inherited(trained, config).state_dict()
        raise _another(path, found)
    weights = _community_state(path)
    try:
        compact = compact_config_of(weights)
    except ValueError as error:
        raise CheckpointError(f"init {path}: {error}") from error
    if isinstance(config, CompactConfig) and compact.act == "relu":
        compact = msgspec.structs.replace(
            compact, act=config.act if config.act != "prelu" else "relu"
        )
    if compact != config:
        raise _another(path, compact)
    return weights


def _another(path: Path, found: NetworkConfig) -> ConfigError:
    return ConfigError(f"init {path}: contains another network: {found}")


def origin_of(path: Path, role: str) -> Origin:
    """What a run's summary says of a file of weights, the setting `role` ("init", "teacher"): its
    name and its folder's (all checkpoints are named alike), its sha256, and network and training of
    a framelift checkpoint.

    Raises CheckpointError for a file that cannot be read.
    """
    where = path.resolve()
    try:
        origin: Origin = {
            "name": f"{where.parent.name}/{where.name}",
            "sha256": hashlib.sha256(where.read_bytes()).hexdigest(),
        }
    except OSError as error:
        raise CheckpointError(f"{role} {path}: {error.strerror}") from error
    if path.suffix not in (".pth", ".pt"):
        checkpoint = load_checkpoint(path)
        origin["network"] = msgspec.to_builtins(checkpoint.network_config)
        origin["training"] = checkpoint.training
    return origin


def _community_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        why = "is a folder; name a file" if path.is_dir() else "no such file"
        raise CheckpointError(f"init {path}: {why}")
    try:
        state = load_foreign(path)
    except ValueError as error:
        raise CheckpointError(f"init {path}: {error}") from error
    for nest in ("params_ema", "params"):
        if isinstance(state, dict) and isinstance(state.get(nest), dict):
            state = state[nest]
            break
    if not isinstance(state, dict):
        raise CheckpointError(f"init {path}: not a PyTorch state dict")
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}
