"""One process of several that train together, as `torchrun` starts them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..common.errors import ConfigError, FrameliftError, TrainingError
from ..common.text import one_line

PATIENCE = timedelta(hours=2)
"""How long a process waits for the others, who may be waiting for one that validates."""


@dataclass(frozen=True)
class Processes:
    """This process's place among those that train together; by default it is alone."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0  # on this machine
    local_count: int = 1

    @property
    def leads(self) -> bool:
        """Only the first process writes files and prints messages."""
        return self.rank == 0

    def part_of(self, batch: int) -> range:
        """This process's indices in a step's whole batch, of `batch` for each process."""
        return range(self.rank * batch, (self.rank + 1) * batch)

    def mean(self, values: Tensor) -> list[float]:
        """The mean of each of N values over the processes; waits for all of them."""
        if self.count > 1:
            values = values.double()
            dist.all_reduce(values)
        return [float(value) / self.count for value in values.tolist()]

    def largest(self, value: int, device: torch.device) -> int:
        """The largest of the processes' values; waits for all of them."""
        if self.count == 1:
            return value
        tensor = torch.tensor(value, device=device)
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return int(tensor)

    def wrap(self, network: nn.Module, device: torch.device) -> nn.Module:
        """`network` with gradients averaged over the processes."""
        if self.count == 1:
            return network
        indices = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=indices)

    def average_gradients(self, network: nn.Module) -> None:
        """Make the gradients of a network that is not wrapped their means over the processes."""
        if self.count == 1:
            return
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(together)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, mean in zip(
            gradients, torch.split(together / self.count, sizes), strict=True
        ):
            gradient.copy_(mean.view_as(gradient))

    def synchronise_norms(self, network: nn.Module, device: torch.device) -> None:
        """Make batch norms take their statistics over all processes.

        Raises ConfigError on the CPU, where PyTorch cannot do that.
        """
        if self.count == 1 or not any(isinstance(m, nn.BatchNorm2d) for m in network.modules()):
            return
        if device.type != "cuda":
            raise ConfigError(
                "the network's batch norms synchronise between processes on CUDA only: set "
                "network.norm=none, or train in one process"
            )
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]


def processes_from_environment() -> Processes:
    """Read torchrun's variables. Raises ConfigError if some are missing or make no sense."""
    if "WORLD_SIZE" not in os.environ:
        return Processes()
    try:
        found = Processes(
            int(os.environ["RANK"]),
            int(os.environ["WORLD_SIZE"]),
            int(os.environ.get("LOCAL_RANK", os.environ["RANK"])),
            int(os.environ.get("LOCAL_WORLD_SIZE", os.environ["WORLD_SIZE"])),
        )
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"WORLD_SIZE is set but the rest of torchrun's environment is not usable ({error}); "
            "start with torchrun, or unset WORLD_SIZE"
        ) from error
    return found


@contextmanager
def joined(processes: Processes, device: torch.device) -> Iterator[None]:
    """During the block the processes can talk: by NCCL on CUDA, else by gloo.

    Raises TrainingError when they lose each other.
    """
    if processes.count == 1:
        yield
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    try:
        dist.init_process_group(
            backend, rank=processes.rank, world_size=processes.count, timeout=PATIENCE
        )
        yield
        dist.barrier()  # a process that leaves while others still talk to it can be aborted
    except (RuntimeError, ValueError) as error:
        # Gloo reports a lost peer as a plain RuntimeError, and a missing address as ValueError.
        if isinstance(error, FrameliftError):
            raise
        text = one_line(error, 200)
        if isinstance(error, dist.DistError) or "gloo" in text or "MASTER_" in text:
            raise TrainingError(f"lost the other processes of this run: {text}") from error
        raise
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
