"""`state.pt`: what resuming a run needs besides its checkpoint."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import msgspec
import torch

from ..imaging.atomic import write_atomic
from ..imaging.errors import CheckpointError, ConfigError
from .config import TrainConfig

FREE = {"steps", "log_every", "checkpoint_every", "validation", "tensorboard"}
"""Settings that may change when a run is resumed: they leave the steps done as they were."""


def save_state(path: Path, config: TrainConfig, state: dict[str, Any]) -> None:
    """Write the state atomically. Raises OutputError."""
    buffer = io.BytesIO()
    torch.save({"config": msgspec.json.encode(config).decode(), **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_state(path: Path, config: TrainConfig, device: torch.device) -> dict[str, Any]:
    """Read a state and check that it belongs to `config`.

    Raises CheckpointError if there is none or it is damaged, ConfigError if it is of other
    settings.
    """
    if not path.is_file():
        raise CheckpointError(f"cannot resume: {path} does not exist")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise CheckpointError(f"cannot resume: {path} is damaged ({error})") from error
    if not isinstance(state, dict) or "config" not in state:
        raise CheckpointError(f"cannot resume: {path} is not a state of framelift train")
    try:
        # Through the structure, so that settings younger than the file have their defaults.
        saved = msgspec.json.decode(state["config"], type=TrainConfig)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"cannot resume: {path} is of another version ({error})") from error
    for key in TrainConfig.__struct_fields__:
        before, now = getattr(saved, key), getattr(config, key)
        if key not in FREE and before != now:
            raise ConfigError(
                f"cannot resume {path.parent}: `{key}` was {_shown(before)}, now {_shown(now)}; "
                "use the same config or another run folder"
            )
    return state


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()
