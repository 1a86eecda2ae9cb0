"""How fast training goes on this machine, without writing anything."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch

from ..config.schema import TrainConfig
from .trainer import Trainer


@dataclass(frozen=True)
class Throughput:
    """What was measured, after the warm-up."""

    images_per_s: float
    data_wait_share: float  # of the time, spent without data to work on
    step_seconds: tuple[float, ...]  # one value per step, in order

    @property
    def step_ms(self) -> float:
        """The median step."""
        return 1000 * statistics.median(self.step_seconds)


def measure_throughput(
    config: TrainConfig,
    device: torch.device,
    steps: int = 50,
    warmup: int = 10,
    after_step: Callable[[], None] = lambda: None,
) -> Throughput:
    """Make `warmup` + `steps` training steps of `config` and time the latter.

    `after_step` is called after each, outside of what is timed.

    Raises what `Trainer` raises: InputError, CheckpointError, TrainingError, ConfigError.
    """
    validation = msgspec.structs.replace(config.validation, folder="")
    config = msgspec.structs.replace(config, steps=warmup + steps, validation=validation)
    trainer = Trainer(config, Path(), device)  # the folder is used by `run` and `save` alone
    reports = []
    for report in trainer.reports():
        reports.append(report)
        after_step()
    reports = reports[warmup:]
    seconds = sum(report.seconds for report in reports)
    return Throughput(
        images_per_s=sum(report.images for report in reports) / seconds,
        data_wait_share=sum(report.waited for report in reports) / seconds,
        step_seconds=tuple(report.seconds for report in reports),
    )
