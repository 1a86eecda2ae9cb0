"""The exponential moving average of a network, which the checkpoint holds when `ema` is set."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn


class Average(nn.Module):
    """Averages of a network's parameters and of its batch norms' statistics.

    The statistics are averaged with the same decay as the weights, because they belong to them: the
    network's own are those of its last ten or so batches, which under averaged weights, and with
    few crops a batch, put whole pictures off in brightness. Decay 0 keeps equal copies.

    The decay grows to the one asked for, as (1 + n) / (10 + n) after n updates, so that early
    averages are not those of the initial weights.
    """

    n_averaged: Tensor

    def __init__(self, network: nn.Module, decay: float) -> None:
        super().__init__()
        self.module = copy.deepcopy(network)
        self.module.requires_grad_(False)
        self.decay = decay
        # In the state so that it stays what torch's AveragedModel wrote; on the host for speed.
        self.register_buffer("n_averaged", torch.tensor(0))

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Move the averages towards `network`; the first call copies it."""
        done = int(self.n_averaged)
        weight = 1 - min(self.decay, (1 + done) / (10 + done)) if done else 1.0
        averages, values = _tensors(self.module), _tensors(network)
        moving = [a.is_floating_point() for a in averages]
        torch._foreach_lerp_(
            [a for a, m in zip(averages, moving, strict=True) if m],
            [v for v, m in zip(values, moving, strict=True) if m],
            weight,
        )
        for average, value, moves in zip(averages, values, moving, strict=True):
            if not moves:  # how many batches the norms have seen
                average.copy_(value)
        self.n_averaged += 1


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*(p.detach() for p in network.parameters()), *network.buffers()]
