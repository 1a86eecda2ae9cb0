"""Training speed: images per second, the time of a step, and how long it waits for data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...train.distributed import Processes
from ...train.loop.start import choose_device, limit_threads, resolve
from ...train.loop.throughput import measure_throughput
from ..machine.facts import describe_machine
from ..machine.monitor import Monitor, condition_warnings
from ..report.checks import machine_warnings, variation_warnings
from ..report.documents import Train
from ..report.model import new_document
from ..report.results import TrainResults
from ..shared.statistics import summarise


def measure_training(
    config: str,
    folders: Sequence[Path],
    overrides: Sequence[str] = (),
    *,
    vgg: str | None = None,
    style: Path | None = None,
    device: str = "auto",
    threads: int | None = None,
    steps: int = 30,
    warm_up: int = 5,
) -> Train:
    """Make `steps` training steps of a preset or config, after `warm_up` more; nothing is written.

    Raises what `framelift train` raises: ConfigError, InputError, CheckpointError, BackendError.
    """
    machine = describe_machine()
    resolved = resolve(config, folders, overrides, None, vgg, style)
    limit_threads(threads, Processes())
    chosen = choose_device(device)
    monitor = Monitor(gpu=bool(machine.gpus))
    speed = measure_throughput(resolved, chosen, steps, warm_up, monitor.sample)
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
        "steps": steps,
        "warm_up": warm_up,
    }
    warnings = [
        *machine_warnings(machine, conditions),
        *condition_warnings(conditions),
        *variation_warnings({"a step": summary}, longer="--steps"),
    ]
    return new_document(Train, machine, settings, results, warnings)
