"""One optimiser step: in parts, in half precision, over several processes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from ..adversary.adversary import Adversary, Part
from ..config.schema import ComputeConfig, OptimizerConfig, TrainConfig
from ..distributed import Processes
from ..losses import AdversarialConfig, WeightedLoss
from ..networks import SRNetwork
from .muon import Muon, hidden_kernels

PRECISIONS = {"off": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


MOST_LEFT_OUT = 10
"""Steps in a row whose gradients are not finite, after which training cannot be expected to
recover."""

MOST_HALVINGS = 40
"""The same where half precision scales gradients: each halves the scale, from 2^16 to 2^-24."""


def precision_of(compute: ComputeConfig, device: torch.device) -> torch.autocast:
    """The context in which networks compute in the precision of `compute.amp`."""
    return torch.autocast(device.type, PRECISIONS[compute.amp], enabled=compute.amp != "off")


class NotFiniteError(Exception):
    """A step cannot be made; the weights are as they were before it. The text says why."""


@dataclass(frozen=True)
class StepReport:
    """One step that was made."""

    losses: Mapping[str, float]
    images: int  # of all processes
    seconds: float
    waited: float  # seconds of it without data to work on
    kept: bool = True  # False where the gradients were not finite and no weight was changed


class Stepper:
    """Updates `network` towards lower `loss`, and the discriminator of an adversarial term; holds
    the optimisers and their state.
    """

    def __init__(
        self,
        network: SRNetwork,
        loss: WeightedLoss,
        config: TrainConfig,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.network = network
        self.loss = loss
        self.config = config
        self.device = device
        self.processes = processes
        self.layout = (
            torch.channels_last if config.compute.channels_last else torch.contiguous_format
        )
        network.to(memory_format=self.layout)
        loss.to(memory_format=self.layout)
        self.model = processes.wrap(network, device)
        # A compiled wrapper around DistributedDataParallel: its buckets guide the compiler's cuts.
        self.run = torch.compile(self.model) if config.compute.compile else self.model
        self.adversary = _adversary(config, device, self.layout, processes)
        self.optimizers = build_optimizers(network, config.optimizer, config.compute.amp)
        self._base_lrs = [group["lr"] for group in self._groups()]
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.compute.amp == "fp16")
        self.left_out = 0
        """Steps up to the last one that were left out, in a row."""

    def step(
        self, lr: Tensor, target: Tensor, factor: float, noisy: Tensor | None = None
    ) -> dict[str, float]:
        """Update once; returns the loss and its terms, means over the batch of all processes.

        Args:
            lr: float N×3×H×W in [0, 1], this process's part of the batch.
            target: float N×3×(sH)×(sW).
            factor: of the base learning rate.
            noisy: `lr` with noise, if the loss has a stability term.

        A step whose gradients are not finite, although the loss is, is left out: weights and
        optimisers stay as they are. Raises NotFiniteError when the loss is not, or too many steps
        were left out. All processes do alike, and before any weight has changed.
        """
        for group, base in zip(self._groups(), self._base_lrs, strict=True):
            group["lr"] = base * factor
        self.network.train()
        self.network.zero_grad(set_to_none=True)
        losses = self._gradients(lr, target, noisy)
        for optimizer in self.optimizers:
            self.scaler.unscale_(optimizer)
        if self.adversary:
            self.scaler.unscale_(self.adversary.optimizer)
        norm = _gradient_norm(self.network)
        both = [norm, _gradient_norm(self.adversary.discriminator)] if self.adversary else [norm]
        # The only wait for the device in a step: not until these are known may weights change.
        known = torch.stack([*losses.values(), torch.stack(both).sum()])
        *means, size = self.processes.mean(known)
        if not math.isfinite(means[0]):
            raise NotFiniteError(f"the loss became {means[0]}")
        if math.isfinite(size):
            self.left_out = 0
            self._update(norm)
            if self.adversary:
                self.adversary.update(factor)
        else:
            self._leave_out(size)
        self.scaler.update()
        return dict(zip(losses, means, strict=True))

    def _update(self, norm: Tensor) -> None:
        if limit := self.config.optimizer.clip_norm:
            nn.utils.clip_grads_with_norm_(self.network.parameters(), limit, norm)
        for optimizer in self.optimizers:
            optimizer.step()

    def _leave_out(self, size: float) -> None:
        self.left_out += 1
        if self.left_out > (MOST_HALVINGS if self.finds_scale else MOST_LEFT_OUT):
            raise NotFiniteError(
                f"the gradients became {size} in {self.left_out} steps in a row, lastly"
            )

    def _gradients(self, lr: Tensor, target: Tensor, noisy: Tensor | None) -> dict[str, Tensor]:
        """Accumulate the gradients of the batch, part by part, then those of the discriminator;
        returns the losses' means.
        """
        parts = self.config.compute.accumulate
        inputs = [few.contiguous(memory_format=self.layout) for few in lr.tensor_split(parts)]
        targets = target.tensor_split(parts)
        noise = [None] * len(inputs) if noisy is None else noisy.tensor_split(parts)
        sums: dict[str, Tensor] = {}
        seen: list[Part] = []
        for index, (few, wanted, other) in enumerate(zip(inputs, targets, noise, strict=True)):
            wanted = wanted.contiguous(memory_format=self.layout)
            last = index == len(inputs) - 1
            with nullcontext() if last else self._gradients_stay_here():
                with self._precision():
                    total, terms, output = self._loss(few, wanted, other)
                if self.adversary:
                    seen.append((output.detach(), wanted))
                share = len(few) / len(lr)
                scaled = self.scaler.scale(total * share if parts > 1 else total)
                scaled.backward()  # type: ignore[no-untyped-call]
            for name, value in {"loss": total.detach(), **terms}.items():
                sums[name] = sums.get(name, 0) + value * share
        if self.adversary:
            sums |= self.adversary.gradients(seen, self.scaler, self._precision())
        return sums

    def _loss(
        self, few: Tensor, wanted: Tensor, noisy: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The weighted sum, its terms, and the output."""
        if noisy is None:
            output, other = self.run(few), None
        else:  # one pass for both: several processes and the compiler expect one for each step
            output, other = self.run(torch.cat((few, noisy))).split(len(few))
        total, terms = self.loss(output, wanted, other)
        if self.adversary:
            config = self.adversary.config
            value = self.adversary.against(output, wanted)
            total = total + config.weight * value
            terms[config.name] = value.detach()
        return total, terms, output

    @contextmanager
    def _gradients_stay_here(self) -> Iterator[None]:
        if isinstance(self.model, DistributedDataParallel):
            with self.model.no_sync():
                yield
        else:
            yield

    def _precision(self) -> torch.autocast:
        return precision_of(self.config.compute, self.device)

    @property
    def finds_scale(self) -> bool:
        """Whether steps are left out as a matter of course: half precision finds its scale so."""
        return bool(self.scaler.is_enabled())

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step, of the first optimiser."""
        return float(self._groups()[0]["lr"])

    def _groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def state(self) -> dict[str, Any]:
        """What resuming needs."""
        state: dict[str, Any] = {
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "scaler": self.scaler.state_dict(),
        }
        if self.adversary:
            state["adversary"] = self.adversary.state()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take up a state that `state` returned."""
        for optimizer, kept in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        if state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        if self.adversary:
            self.adversary.load_state(state["adversary"])


def _gradient_norm(network: nn.Module) -> Tensor:
    """The Euclidean norm of all gradients, of all processes: the same in each."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return nn.utils.get_total_norm(gradients).to(torch.float32)


def _adversary(
    config: TrainConfig, device: torch.device, layout: torch.memory_format, processes: Processes
) -> Adversary | None:
    """The opponent that the adversarial term asks for, if there is one."""
    for term in config.loss:
        if isinstance(term, AdversarialConfig):
            return Adversary(term, device, layout, processes)
    return None


def build_optimizers(
    network: nn.Module, config: OptimizerConfig, amp: str = "off"
) -> list[torch.optim.Optimizer]:
    """What updates the network: one optimiser, or Muon and, for what it is not for, Adam.

    Muon's matrices are bfloat16 with `amp` "bf16"; float16 has too small a range for them.
    """
    if config.name != "muon":
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config.name]
        return [
            kind(
                network.parameters(),
                lr=config.lr,
                betas=config.betas,
                weight_decay=config.weight_decay,
            )
        ]
    hidden, others = hidden_kernels(network)
    decay = config.weight_decay
    return [
        Muon(
            hidden,
            config.lr,
            config.momentum,
            decay,
            torch.bfloat16 if amp == "bf16" else torch.float32,
        ),
        torch.optim.AdamW(others, lr=config.adam_lr, betas=config.betas, weight_decay=decay),
    ]
