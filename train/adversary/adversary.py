"""The opponent of a network in training: a discriminator, its optimiser, and both sides' losses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from ..distributed import Processes
from ..losses import AdversarialConfig
from .discriminators import build_discriminator
from .objectives import discriminator_loss, gradient_penalty, network_loss
from .spectral import SpectralConv2d

Part = tuple[Tensor, Tensor]
"""Outputs without their graph, and originals: float N×3×H×W RGB in [0, 1]."""


class Adversary:
    """Trained beside a network. A step of both is: the network's gradients, in which `against` is a
    term; `gradients`, on the same outputs; then both updates, so that both can be left out.
    """

    def __init__(
        self,
        config: AdversarialConfig,
        device: torch.device,
        layout: torch.memory_format,
        processes: Processes,
    ) -> None:
        self.config = config
        self.processes = processes
        self.discriminator = build_discriminator(config.network, config.channels).to(device)
        self.discriminator.to(memory_format=layout).requires_grad_(False)
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), lr=config.lr, betas=config.betas
        )
        self.updates = 0

    def against(self, output: Tensor, target: Tensor) -> Tensor:
        """The network's term, without its weight; the discriminator stays as it is."""
        with torch.no_grad():
            real = self.discriminator(target)
        return network_loss(self.config.objective, self.discriminator(output), real)

    def gradients(
        self, parts: Sequence[Part], scaler: torch.amp.GradScaler, precision: torch.autocast
    ) -> dict[str, Tensor]:
        """Set the discriminator's gradients, means over a batch in parts and over all processes.

        Returns its loss, the penalty without its weight (0 on steps without it, `r1_every` times
        itself on the others, so that a mean over steps is right), and by how much its logits of
        photographs are above those of outputs.
        """
        for layer in self._spectral():
            layer.iterate()
        self.discriminator.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(True)
        try:
            sums = self._accumulate(parts, scaler, precision)
        finally:
            self.discriminator.requires_grad_(False)
        self.processes.average_gradients(self.discriminator)
        return sums

    def _accumulate(
        self, parts: Sequence[Part], scaler: torch.amp.GradScaler, precision: torch.autocast
    ) -> dict[str, Tensor]:
        config = self.config
        penalised = config.r1 > 0 and self.updates % config.r1_every == 0
        pictures = sum(len(output) for output, _ in parts)
        sums: dict[str, Tensor] = {}
        for output, target in parts:
            with precision:
                fake, real = self.discriminator(output), self.discriminator(target)
            loss = discriminator_loss(config.objective, fake, real)
            penalty = loss.new_zeros(())
            if penalised:
                penalty = config.r1_every * gradient_penalty(self.discriminator, target)
            share = len(output) / pictures
            scaler.scale((loss + config.r1 * penalty) * share).backward()  # type: ignore[no-untyped-call]
            margin = (real.float() - fake.float()).mean()
            for name, value in (
                ("discriminator", loss),
                ("discriminator_r1", penalty),
                ("discriminator_margin", margin),
            ):
                sums[name] = sums.get(name, 0) + value.detach() * share
        return sums

    def update(self, factor: float) -> None:
        """Take the optimiser's step, at `factor` times its learning rate."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr * factor
        self.optimizer.step()
        self.updates += 1

    def _spectral(self) -> Iterable[SpectralConv2d]:
        return (m for m in self.discriminator.modules() if isinstance(m, SpectralConv2d))

    def state(self) -> dict[str, Any]:
        """What resuming needs."""
        return {
            "discriminator": self.discriminator.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "updates": self.updates,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a state that `state` returned."""
        self.discriminator.load_state_dict(state["discriminator"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.updates = state["updates"]
