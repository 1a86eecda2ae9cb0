"""How far a run is: what its state holds beside weights, and what its checkpoint says of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from ..checkpoints.summary import Changes, Origin, Summary
from ..config.schema import TrainConfig
from ..data.photos import PhotoSet
from ..data.style_image import StyleImage


@dataclass
class Progress:
    """Kept in `state.pt`, over all sessions of a run."""

    step: int = 0
    seconds: float = 0.0  # of training
    validation: dict[str, str | int | float] = field(default_factory=dict)
    origin: Origin | None = None  # what `init` was
    left_out: int = 0  # steps whose gradients were not finite
    changes: dict[str, Changes] = field(default_factory=dict)  # by step

    def state(self) -> dict[str, Any]:
        """What resuming needs."""
        return dict(vars(self))

    def load(self, state: dict[str, Any]) -> None:
        """Take up what `state` returned, of this release or one before."""
        for name in vars(self):
            if name in state:
                setattr(self, name, state[name])


def summary_of(
    config: TrainConfig,
    progress: Progress,
    photos: PhotoSet,
    style: StyleImage | None,
    teacher: Origin | None,
    processes: int,
) -> Summary:
    """What a checkpoint states of its training."""
    summary: Summary = {
        "steps": progress.step,
        "loss": msgspec.to_builtins(config.loss),
        "batch": config.data.batch * processes,
        "crop": config.data.crop,
        "degradation": config.data.degradation,
        "photographs": len(photos.photos),
        "data_fingerprint": photos.fingerprint,
        "seconds": round(progress.seconds),
        "seed": config.seed,
        "ema": config.ema,
        "optimizer": msgspec.to_builtins(config.optimizer),
        "amp": config.compute.amp,
    }
    if progress.origin:
        summary["init"] = progress.origin
    if teacher:
        summary["teacher"] = teacher
    if progress.left_out:
        summary["steps_left_out"] = progress.left_out
    if progress.changes:
        summary["changes"] = progress.changes
    if style is not None:
        summary["style_image"] = {"name": style.path.name, "sha256": style.sha256}
    if progress.validation:
        summary["validation"] = progress.validation
    return summary
