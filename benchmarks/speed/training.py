"""Training speed: images per second, the time of a step, and how long it waits for data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...train.distributed import Processes
from ...train.loop.start import choose_device, limit_threads, resolve
from ...train.loop.throughput import measure_throughput
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor
from ..report.checks import machine_warnings, variation_warnings
from ..report.documents import Train
from ..report.model import new_document
from ..report.results import TrainResults
from ..shared.statistics import summarise


@dataclass(frozen=True)
class TrainingSettings:
    """How a training is measured: `steps` are timed after `warm_up` more."""

    vgg: str | None = None
    style: Path | None = None
    device: str = "auto"
    threads: int | None = None
    steps: int = 30
    warm_up: int = 5


def measure_training(
    config: str, folders: Sequence[Path], overrides: Sequence[str], measured: TrainingSettings
) -> Train:
    """Measure training steps of a preset or config. Nothing is written.

    Raises what `framelift train` raises: ConfigError, InputError, CheckpointError, BackendError.
    """
    machine = describe_machine()
    resolved = resolve(config, folders, overrides, None, measured.vgg, measured.style)
    limit_threads(measured.threads, Processes())
    chosen = choose_device(measured.device)
    monitor = Monitor(gpu=bool(machine.gpus))
    speed = measure_throughput(resolved, chosen, measured.steps, measured.warm_up, monitor.sample)
    conditions = monitor.report()
    samples_ms = [1000 * seconds for seconds in speed.step_seconds]
    summary = summarise(samples_ms, resolved.data.batch)
    results = TrainResults(
        images_per_s=speed.images_per_s,
        data_wait_share=speed.data_wait_share,
        step=summary,
        samples_ms=samples_ms,
        conditions=conditions,
    )
    settings = {
        "config": config,
        "device": str(chosen),
        "batch": resolved.data.batch,
        "crop": resolved.data.crop,
        "steps": measured.steps,
        "warm_up": measured.warm_up,
    }
    warnings = [
        *machine_warnings(machine, conditions),
        *variation_warnings({"a step": summary}, longer="--steps"),
    ]
    return new_document(Train, machine, settings, results, warnings)
