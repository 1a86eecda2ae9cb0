"""Latency of one model on one backend at one frame size: what a caller of `Upscaler` waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.errors import ConfigError
from ..runtime import Upscaler
from .checks import machine_warnings, percentile_warnings, variation_warnings
from .machine import describe_machine, peak_rss_bytes
from .report import Document, build
from .statistics import summarise
from .timing import no_garbage_collection, repeat, time_ms, warm_up

Frames = NDArray[np.uint8]

# Two inputs in turn, so that a cached result could not pass for a computed one.
_INPUTS = 2


@dataclass(frozen=True)
class LatencySettings:
    """What to measure: `batch` frames of `width`×`height` per call, for at least `seconds` and at
    least `iterations` calls after warm-up. Raises ConfigError for values that make no sense.
    """

    width: int
    height: int
    batch: int = 1
    backend: str = "auto"
    threads: int | None = None
    seconds: float = 5.0
    iterations: int = 30

    def __post_init__(self) -> None:
        for name in ("width", "height", "batch", "iterations"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.seconds < float("inf"):
            raise ConfigError(f"seconds must be 0 or more, got {self.seconds}")


def input_frames(settings: LatencySettings) -> list[Frames]:
    """Inputs for the run: uint8 H×W×3 (batch 1) or N×H×W×3 BGR noise, the same in every run."""
    shape = (settings.batch, settings.height, settings.width, 3)
    rng = np.random.default_rng(0)
    batches = [rng.integers(0, 256, shape, np.uint8) for _ in range(_INPUTS)]
    return batches if settings.batch > 1 else [batch[0] for batch in batches]


def measure_latency(model: str | Path, settings: LatencySettings) -> Document:
    """Measure and return the report.

    Times `upscaler(frame, out=frame)`, uint8 BGR in and out, output reused. `load_ms` is
    `Upscaler.load` (with the import of the engine, if this process has not imported it yet) and
    `first_frame_ms` the first call. Raises ModelError, BackendError, MissingDependencyError.
    """
    machine = describe_machine()
    frames = input_frames(settings)
    opened: list[Upscaler] = []

    def load() -> None:
        opened.append(Upscaler.load(model, backend=settings.backend, threads=settings.threads))

    load_ms = time_ms(load)
    with opened[0] as upscaler:
        *batch, height, width, channels = frames[0].shape
        scale = upscaler.scale
        out = np.empty((*batch, height * scale, width * scale, channels), np.uint8)
        inputs = cycle(frames)

        def time_once() -> float:
            frame = next(inputs)
            return time_ms(lambda: upscaler(frame, out=out))

        first_frame_ms = time_once()
        warm_up_ms, steady, samples_ms = _sample(time_once, settings)
        summary = summarise(samples_ms, settings.batch)
        results: dict[str, Any] = {
            "load_ms": load_ms,
            "first_frame_ms": first_frame_ms,
            "warm_up_ms": warm_up_ms,
            "steady": steady,
            "latency": asdict(summary),
            "samples_ms": samples_ms,
            "peak_rss_bytes": peak_rss_bytes(),
        }
        warnings = [
            *machine_warnings(machine),
            *variation_warnings({"latency": summary}, {"latency": steady}),
            *percentile_warnings(summary),
        ]
        return build("latency", machine, upscaler, asdict(settings), results, warnings)


def _sample(
    time_once: Callable[[], float], settings: LatencySettings
) -> tuple[list[float], bool, list[float]]:
    with no_garbage_collection():
        warm_up_ms, steady = warm_up(time_once)
        samples_ms = [time_once() for _ in repeat(settings.seconds, settings.iterations)]
    return warm_up_ms, steady, samples_ms
