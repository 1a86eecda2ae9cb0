"""Errors that name the setting that avoids the failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..common.errors import ConfigError, TrainingError
from ..common.libraries.memory import is_out_of_memory
from ..common.text import first_line
from .config.schema import TrainConfig
from .networks import NetworkConfig


@contextmanager
def failures_explained(config: TrainConfig) -> Iterator[None]:
    """Turn running out of memory, and a compiler that fails, into what to change."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            data, accumulate = config.data, config.compute.accumulate
            more = min(2 * accumulate, data.batch)
            ways = [f"compute.accumulate={more} (now {accumulate})"]
            ways = ways if more > accumulate else []
            ways += [f"a lower data.batch (now {data.batch}) or data.crop (now {data.crop})"]
            if data.on_device:
                ways += ["data.on_device=false"]
            raise TrainingError(f"out of memory: try {', '.join(ways)}") from error
        if config.compute.compile and type(error).__module__.startswith("torch._"):
            raise ConfigError(
                f"torch.compile failed ({first_line(error, 200)}); set compute.compile=false"
            ) from error
        raise


@contextmanager
def too_large_explained(network: NetworkConfig) -> Iterator[None]:
    """Explain in one line that the network itself does not fit into memory."""
    try:
        yield
    except (MemoryError, RuntimeError, TypeError) as error:
        # PyTorch cannot even count the bytes of the largest: a RuntimeError or TypeError says so.
        if not (is_out_of_memory(error) or "overflow" in str(error).lower()):
            raise
        raise TrainingError(
            f"out of memory: {network} does not fit; make `network` smaller"
        ) from error
