"""Whether a network is worth keeping: its loss beside that of pictures that anyone can make."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..distributed import Processes
from ..losses import WeightedLoss

MOST_IMAGES = 4
"""Of a batch, so that judging costs little beside the steps between two checkpoints."""

LOST = 1e4
"""Times the loss of a blank picture. No network that still learns comes near it."""


@dataclass(frozen=True)
class Verdict:
    """Losses on the same images: of a network, of the plain way to its output's size, and of black
    and grey pictures.
    """

    loss: float
    plain: float
    black: float
    grey: float

    @property
    def blank(self) -> float:
        """The loss of what shows nothing."""
        return max(self.black, self.grey)

    @property
    def is_lost(self) -> bool:
        """Whether the network has diverged, so that training cannot go on from it."""
        return not math.isfinite(self.loss) or 0 < LOST * self.blank < self.loss

    @property
    def is_worse_than_plain(self) -> bool:
        """Whether one is better off without the network."""
        return not self.loss <= self.plain


@torch.no_grad()
def judge(
    network: nn.Module,
    loss: WeightedLoss,
    lr: Tensor,
    target: Tensor,
    noisy: Tensor | None,
    processes: Processes,
    most: int = MOST_IMAGES,
) -> Verdict:
    """Judge `network`, which is in eval mode meanwhile, on some images of a batch.

    Args:
        network: is not changed.
        loss: what it is trained for.
        lr: float N×3×H×W in [0, 1].
        target: float N×3×(sH)×(sW).
        noisy: `lr` with noise, if the loss has a stability term.
        processes: whose means the losses are; all of them must call this.
        most: images that are looked at, at once.
    """
    lr, target = lr[:most], target[:most]
    noisy = None if noisy is None else noisy[:most]
    size = target.shape[-2:]

    def of(picture: Callable[[Tensor], Tensor]) -> Tensor:
        other = None if noisy is None else picture(noisy)
        total, _ = loss(picture(lr), target, other)
        loss_of_it: Tensor = total.float()
        return loss_of_it

    was_training = network.training
    network.eval()
    try:
        found = [of(network), of(partial(bicubic, size=size))]
        found += [of(partial(blank, size=size, level=level)) for level in (0.0, 0.5)]
    finally:
        network.train(was_training)
    return Verdict(*processes.mean(torch.stack(found)))


def bicubic(images: Tensor, size: torch.Size) -> Tensor:
    """MATLAB's bicubic (a = −0.5, PyTorch's with antialias); images of that size stay."""
    if images.shape[-2:] == size:
        return images
    return F.interpolate(images, size=tuple(size), mode="bicubic", antialias=True).clamp(0, 1)


def blank(images: Tensor, size: torch.Size, level: float) -> Tensor:
    """Pictures of that size without content."""
    return images.new_full((*images.shape[:2], *size), level)
