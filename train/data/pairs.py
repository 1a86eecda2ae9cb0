"""Batches of training pairs: made of photographs as they are drawn, or read from coded frames."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor

from .crops import CropSampler, HostCrops
from .degradation import Reduction, Seed, degrade, target_of
from .on_device import DeviceCrops

Drawn = TypeVar("Drawn")


class Pairs(Protocol[Drawn]):
    """Draws the pairs of any step, the same whenever and wherever they are drawn."""

    source: str
    """What pairs are made of, for messages: "Photographs"."""

    def draw(self, step: int) -> Drawn:
        """What a thread of the host prepares for one step."""

    def load(self, drawn: Drawn, step: int) -> tuple[Tensor, Tensor]:
        """Input and target on the device: float N×3×h×w and N×3×(s·h)×(s·w) RGB in [0, 1]."""

    def names(self, step: int) -> list[str]:
        """What the pairs of one step are made of, for messages."""


class PhotoPairs:
    """Crops of photographs, reduced on the training device."""

    source = "Photographs"

    def __init__(
        self,
        sampler: CropSampler,
        crops: HostCrops | DeviceCrops,
        scale: int,
        kind: Reduction,
    ) -> None:
        self._sampler = sampler
        self._crops = crops
        self._scale = scale
        self._kind = kind

    def draw(self, step: int) -> Tensor:
        """See `Pairs`."""
        return self._crops.draw(step)

    def load(self, drawn: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """See `Pairs`."""
        hr = self._crops.load(drawn).permute(0, 3, 1, 2).float().div_(255)
        return degrade(hr, self._scale, self._kind), target_of(hr, self._scale)

    def names(self, step: int) -> list[str]:
        """See `Pairs`."""
        return sorted(set(self._sampler.files(step)))


def seeds_of(seed: int, step: int, part: range) -> list[Seed]:
    """(seed, step, index) for each pair of a step, from which its noise is drawn."""
    return [(seed, step, index) for index in part]
