"""Which model of those that a user names is opened, and on what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..common.errors import ConfigError
from .backends.select import open_backend, runs_on_cpu
from .cutting import checked_tile
from .models.file import ModelSpec, read_spec
from .models.zoo import resolve
from .session.protocol import Session


@dataclass(frozen=True)
class Loaded:
    """A model that is ready to run."""

    spec: ModelSpec
    session: Session
    selection: str
    """What runs and why nothing better does, in one line; "" for a backend that was named."""
    source: Callable[[], ModelSpec]
    """Reads the model that the user named, which `spec` may replace on a CPU."""


def load_model(
    model: str | Path | ModelSpec,
    backend: str,
    *,
    threads: int | None,
    device: int | None,
    cpu_model: str | Path | None,
    tile: int | None,
) -> Loaded:
    """Open a model on a backend; arguments and errors are those of `Upscaler.load`."""
    if threads is not None and threads < 1:
        raise ConfigError(f"threads is {threads}: use 1 or more")

    @cache
    def source() -> ModelSpec:
        return model if isinstance(model, ModelSpec) else read_spec(resolve(model))

    on_cpu = None if cpu_model is None else read_spec(resolve(cpu_model))
    # A model that only a GPU would run is not read where there is none.
    spec = on_cpu if on_cpu and device is None and runs_on_cpu(backend) else source()
    checked_tile(spec, tile)  # before a backend is opened, which may take minutes
    opened = open_backend(spec, backend, threads, device, on_cpu)
    return Loaded(opened.spec, opened.session, opened.selection, source)
