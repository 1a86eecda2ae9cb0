"""Muon: momentum whose updates are made orthogonal, for the kernels of hidden layers.

Jordan et al. 2024, https://kellerjordan.github.io/posts/muon: the update of a matrix is replaced by
the nearest semi-orthogonal one, so that all its directions are learnt alike instead of the few that
dominate the gradient. A convolution's kernel is a matrix with a row for each output channel.
torch.optim.Muon takes 2-D parameters only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# A quintic whose slope at 0 is steep: five rounds bring singular values from 0.002 up to about 1.
_QUINTIC = (3.4445, -4.7750, 2.0315)
_ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, made orthogonal, times √max(1, rows ÷ columns)."""

    def __init__(
        self,
        parameters: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        precision: torch.dtype = torch.float32,
    ) -> None:
        """Optimise `parameters`, each of two dimensions or more, the first that of the outputs.

        Args:
            parameters: kernels and matrices.
            lr: about how far a step turns a matrix, whatever the size of its gradient.
            momentum: decay of the gradients' mean.
            weight_decay: decoupled, as AdamW's.
            precision: that updates are made orthogonal in. bfloat16 is enough, and much faster
                where the hardware has it.
        """
        self.precision = precision
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update once."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step(group)
        return loss

    def _step(self, group: dict[str, Any]) -> None:
        momentum, lr = group["momentum"], group["lr"]
        alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is None:
                continue
            state = self.state[parameter]
            if not state:
                state["mean"] = torch.zeros_like(parameter)
            state["mean"].lerp_(parameter.grad, 1 - momentum)
            update = parameter.grad.lerp(state["mean"], momentum).flatten(1)
            alike[update.shape].append((parameter, update))
        for (rows, columns), members in alike.items():  # at once: the matrices are small
            updates = orthogonal(torch.stack([update for _, update in members]).to(self.precision))
            step = lr * max(1.0, rows / columns) ** 0.5
            for (parameter, _), update in zip(members, updates, strict=True):
                parameter.mul_(1 - lr * group["weight_decay"])
                parameter.add_(update.view_as(parameter), alpha=-step)


def orthogonal(matrices: Tensor) -> Tensor:
    """Float N×rows×columns to about the nearest semi-orthogonal ones: singular values of 0.7–1.2.

    By Newton–Schulz iteration; a matrix of zeros stays one.
    """
    a, b, c = _QUINTIC
    # Divided by its Frobenius norm, no singular value is above 1, where the iteration converges.
    x: Tensor = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    tall = x.shape[1] > x.shape[2]  # the products below are then squares of the shorter side
    if tall:
        x = x.mT
    for _ in range(_ROUNDS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x


def hidden_kernels(network: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """The parameters that Muon is for, and the others.

    Those of two dimensions or more are, but for the last layer's: what makes pixels is better left
    to Adam, as are biases and norms.
    """
    named = list(network.named_parameters())
    last = next((name for name, value in reversed(named) if value.ndim > 1), "").rpartition(".")[0]
    hidden: list[Tensor] = []
    others: list[Tensor] = []
    for name, value in named:
        is_hidden = value.ndim > 1 and name.rpartition(".")[0] != last
        (hidden if is_hidden else others).append(value)
    return hidden, others
