"""Keeps a network that is lost from replacing what a run has saved, and says what to do then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ...common.errors import TrainingError
from ..checkpoints.soundness import first_not_finite, tensors_in
from ..config.schema import TrainConfig
from ..distributed import Processes
from ..losses import WeightedLoss
from .verdict import MOST_IMAGES, Verdict, judge


class Guard:
    """Stands before every save of one run."""

    def __init__(
        self,
        config: TrainConfig,
        folder: Path,
        loss: WeightedLoss,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self._config = config
        self._folder = folder
        self._loss = loss
        self._device = device
        self._processes = processes
        self.saved_at: int | None = None
        """The step of the state in the folder."""
        self.saved_lr = config.optimizer.lr
        """The learning rate of the steps up to there."""
        self.batch: tuple[Tensor, Tensor, Tensor | None] | None = None
        """Input, target and noisy input of the last step, float N×3×H×W in [0, 1]."""

    def require_sound(
        self, step: int, numbers: Mapping[str, object], networks: Sequence[nn.Module]
    ) -> Verdict | None:
        """Look at all that is going to be saved; what the last network is worth.

        `numbers` holds tensors, nested as they come. The answer is None before any batch was seen.
        Raises TrainingError, in all processes alike, for numbers that are not finite and for
        networks that are lost.
        """
        spoilt = first_not_finite(dict(tensors_in(numbers)))
        if self._processes.largest(int(spoilt is not None), self._device):
            raise TrainingError(f"weights became NaN or infinity by step {step}; {self.advice()}")
        verdict = None
        # No more at once than in a step, which had the memory for it.
        compute, data = self._config.compute, self._config.data
        most = min(MOST_IMAGES, max(1, data.batch // compute.accumulate))
        for network in networks if self.batch else ():
            assert self.batch is not None
            verdict = judge(network, self._loss, *self.batch, self._processes, most)
            if verdict.is_lost:
                raise TrainingError(
                    f"the training collapsed by step {step}: its loss is {verdict.loss:.3g}, that "
                    "of "
                    f"a blank picture {verdict.blank:.3g}; {self.advice()}"
                )
        return verdict

    def advice(self) -> str:
        """What to do about a training that diverged."""
        lr = self._config.optimizer.lr
        lower = f"a lower optimizer.lr (now {lr:g}) or with optimizer.clip_norm"
        if self.saved_at is None:
            return f"start again with {lower}; nothing was saved yet"
        slower = min(lr, self.saved_lr) / 4
        return (
            f"{self._folder} keeps step {self.saved_at}: continue from there with --resume and "
            f"{lower}, such as --set optimizer.lr={slower:g}"
        )

    def warning(self, verdict: Verdict) -> str | None:
        """What to say of a network that a finished run ends with; None where all is well."""
        if not verdict.is_worse_than_plain:
            return None
        plain = "bicubic upscaling" if self._config.network.scale > 1 else "the unchanged picture"
        return (
            f"warning: the network is worse than {plain}: its loss on the last batch is "
            f"{verdict.loss:.4g}, that of {plain} {verdict.plain:.4g}; train longer, or with a "
            f"lower optimizer.lr (now {self._config.optimizer.lr:g})"
        )
