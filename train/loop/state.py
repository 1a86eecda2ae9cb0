"""`state.pt`: what resuming a run needs besides its checkpoint."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import torch

from ...common.errors import CheckpointError, ConfigError
from ...common.files import write_atomic
from ...common.text import first_line
from ..checkpoints.file import load_checkpoint
from ..checkpoints.soundness import first_not_finite, tensors_in
from ..checkpoints.summary import Changes
from ..config.schema import OptimizerConfig, TrainConfig
from ..data.photos import PhotoSet

FREE = {"steps", "log_every", "checkpoint_every", "validation", "tensorboard"}
"""Settings that may change when a run is resumed: they leave the steps done as they were."""

FREE_DATA = ("cache_mb", "workers", "on_device")
"""Such settings of `data`: where photographs are kept does not change the batches."""

FREE_OPTIMIZER = ("lr", "adam_lr", "clip_norm")
"""Such settings of `optimizer`: what a run that diverged needs changed. The steps from there on are
others, which the run's summary says."""


def save_state(path: Path, config: TrainConfig, state: dict[str, Any]) -> None:
    """Write the state atomically. Raises OutputError."""
    buffer = io.BytesIO()
    torch.save({"config": msgspec.json.encode(config).decode(), **state}, buffer)
    write_atomic(path, buffer.getvalue())


def load_state(path: Path, config: TrainConfig, device: torch.device) -> dict[str, Any]:
    """Read a state and check that it belongs to `config`.

    Raises CheckpointError if there is none, it is damaged or not finite, ConfigError if it is of
    other settings.
    """
    if not path.is_file():
        raise CheckpointError(f"cannot resume: {path} does not exist")
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # damaged bytes are taken for opcodes, which fail in any way
        raise CheckpointError(
            f"cannot resume: {path} is damaged ({first_line(error, 120)})"
        ) from error
    if not isinstance(state, dict) or "config" not in state:
        raise CheckpointError(f"cannot resume: {path} is not a state of framelift train")
    if spoilt := first_not_finite(dict(tensors_in(state))):
        raise CheckpointError(
            f"cannot resume: {path} contains NaN or infinity ({spoilt}); start again in "
            "another --out "
            "folder, with a lower optimizer.lr"
        )
    saved = saved_config(path, state)
    # A state that knows the order of its photographs can be resumed with other folders.
    free = (*FREE_DATA, "folders") if "order" in state else FREE_DATA
    kept = {name: getattr(config.data, name) for name in free}
    changeable = {name: getattr(config.optimizer, name) for name in FREE_OPTIMIZER}
    saved = msgspec.structs.replace(
        saved,
        data=msgspec.structs.replace(saved.data, **kept),
        optimizer=msgspec.structs.replace(saved.optimizer, **changeable),
    )
    for key in TrainConfig.__struct_fields__:
        before, now = getattr(saved, key), getattr(config, key)
        if key not in FREE and before != now:
            key, before, now = _innermost(key, before, now)
            raise ConfigError(
                f"cannot resume {path.parent}: `{key}` was {_shown(before)}, now {_shown(now)}; "
                "use the same config or another run folder"
            )
    return state


def require_same_run(
    state: dict[str, Any],
    folder: Path,
    config: TrainConfig,
    photos: PhotoSet,
    used: Mapping[str, str],
    processes: int,
) -> None:
    """Raise ConfigError if a run in `folder` cannot go on with these data and processes.

    `used` has the sha256 of the "style image" and the "teacher", "" where there is none.
    """
    if state["fingerprint"] != photos.fingerprint:
        raise ConfigError(
            f"cannot resume {folder}: the training photographs have changed (or, in a run "
            "of an older framelift, some were counted twice)"
        )
    if state.get("order", photos.order) != photos.order:
        raise ConfigError(
            f"cannot resume {folder}: the training photographs come in another order; "
            "pass the folders in the order of the first run, the files under their old names"
        )
    for name, sha256 in used.items():
        if state.get(name.replace(" ", "_"), "") != sha256:
            raise ConfigError(f"cannot resume {folder}: the {name} has changed")
    before, now = state.get("processes", 1), processes
    if before != now:
        raise ConfigError(
            f"cannot resume {folder}: it ran in {before} process(es), now {now}; a step "
            "would be of another size"
        )
    if state["step"] > config.steps:
        raise ConfigError(
            f"cannot resume {folder}: it is at step {state['step']} already, "
            f"beyond steps = {config.steps}"
        )


def changed_settings(before: OptimizerConfig, config: TrainConfig) -> Changes:
    """What `config` has of `FREE_OPTIMIZER` that steps before were not made with, by key."""
    return {
        f"optimizer.{name}": getattr(config.optimizer, name)
        for name in FREE_OPTIMIZER
        if getattr(before, name) != getattr(config.optimizer, name)
    }


def saved_config(path: Path, state: dict[str, Any]) -> TrainConfig:
    """The config that a state was saved with. Raises CheckpointError."""
    try:
        # Through the structure, so that settings younger than the file have their defaults.
        return msgspec.json.decode(state["config"], type=TrainConfig)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"cannot resume: {path} is of another version ({error})") from error


def _innermost(key: str, before: object, now: object) -> tuple[str, object, object]:
    """The first setting inside a section in which its two values differ."""
    if isinstance(before, msgspec.Struct) and type(before) is type(now):
        for name in before.__struct_fields__:
            inner = getattr(before, name), getattr(now, name)
            if inner[0] != inner[1]:
                return _innermost(f"{key}.{name}", *inner)
    return key, before, now


def _shown(value: object) -> str:
    return msgspec.json.encode(value).decode()


def is_saved(folder: Path, step: int, config: TrainConfig) -> bool:
    """Whether the checkpoint in a folder is of this step."""
    try:
        held = load_checkpoint(folder / "model.safetensors")
    except CheckpointError:
        return False
    return held.training.get("steps") == step and held.network_config == config.network
