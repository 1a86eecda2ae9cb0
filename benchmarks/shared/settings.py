"""What is measured, and for how long."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...common.errors import ConfigError
from ...common.text import counted

if TYPE_CHECKING:
    from ...runtime import Upscaler


def require_least(name: str, value: int, least: int) -> None:
    """Raise ConfigError for a number that is smaller."""
    if value < least:
        raise ConfigError(f"{name} must be at least {least}, got {value}")


def require_frames(clip: Path, count: int, least: int) -> None:
    """Raise ConfigError for a clip of fewer frames."""
    if count < least:
        raise ConfigError(f"{clip}: has {counted(count, 'frame')}; at least {least} are needed")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where models run, as `Upscaler.load` takes it."""

    backend: str = "auto"
    threads: int | None = None
    device: int | None = None

    def load(self, model: str | Path) -> Upscaler:
        """Load a model there. Raises what `Upscaler.load` raises."""
        from ...runtime import Upscaler

        return Upscaler.load(model, self.backend, threads=self.threads, device=self.device)


ANYWHERE = Placement()


@dataclass(frozen=True)
class LatencySettings(Placement):
    """One case: `batch` frames of `width`×`height` per call, for at least `seconds` and at least
    `iterations` calls after warm-up; a case whose calls took `most_seconds` makes no more.
    Raises ConfigError for values that make no sense.
    """

    width: int
    height: int
    batch: int = 1
    seconds: float = 5.0
    iterations: int = 30
    most_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("width", "height", "batch", "iterations"):
            require_least(name, getattr(self, name), 1)
        if not 0 <= self.seconds < math.inf:
            raise ConfigError(f"seconds must be 0 or more, got {self.seconds}")


@dataclass(frozen=True)
class GridSettings:
    """Every model on every backend and beside every rival, at every size and batch.

    `sizes` are (width, height) of the input; `seconds`, `iterations` and `most_seconds` count for
    each case.
    `fresh` starts each case in a process of its own first, for start-up times and peak memory;
    `roofline` measures the machine's peak; `lenient` leaves out rivals that cannot run a model,
    with a warning. Raises ConfigError for values that make no sense.
    """

    sizes: tuple[tuple[int, int], ...]
    batches: tuple[int, ...] = (1,)
    backends: tuple[str, ...] = ("auto",)
    rivals: tuple[str, ...] = ()
    threads: int | None = None
    seconds: float = 5.0
    iterations: int = 30
    most_seconds: float | None = None
    fresh: bool = True
    roofline: bool = True
    lenient: bool = False
    device: int | None = None

    def __post_init__(self) -> None:
        for name in ("sizes", "batches", "backends"):
            if not getattr(self, name):
                raise ConfigError(f"{name} must not be empty")
        self.cases()  # their values are checked

    def cases(self) -> list[LatencySettings]:
        """Settings of one model's cases, rivals last among those of one size and batch."""
        return [
            LatencySettings(
                *size,
                batch,
                self.seconds,
                self.iterations,
                self.most_seconds,
                backend=backend,
                threads=self.threads,
                device=self.device,
            )
            for size in self.sizes
            for batch in self.batches
            for backend in (*self.backends, *self.rivals)
        ]
