"""Training batches cut from coded frames: `data.degradation = "codec"`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..detail import DetailedPlaces
from ..photos import Photo
from .cache import FootageCache

Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class _Crop:
    """Where one crop is cut, in high-resolution pixels, and how it is turned."""

    frame: int
    top: int
    left: int
    turns: int
    flip: bool
    clean: bool


@dataclass(frozen=True)
class CropPlan:
    """How crops are drawn."""

    size: int
    """Of a side, in high-resolution pixels."""
    scale: int
    batch: int
    seed: int
    detail: float = 0.0
    """See `FootagePairs`; 0 draws all places alike."""
    clean: float = 0.0
    """The probability that a crop's input is only reduced, not coded."""


class FootagePairs:
    """Draws the batch of any step from (seed, step) alone, so that resuming is exact.

    A crop is drawn uniformly, or with `detail` in proportion to what the reduction took from it,
    then flipped and turned at random. It begins on a whole low-resolution pixel.
    """

    source = "Encoders"

    def __init__(
        self,
        cache: FootageCache,
        crops: CropPlan,
        part: range,
        device: torch.device,
        workers: int = 1,
    ) -> None:
        """`part` is this process's share of each batch."""
        self._cache = cache
        self._size = size = crops.size
        self._scale = scale = crops.scale
        self._batch = crops.batch
        self._seed = crops.seed
        self._part = part
        self._clean = crops.clean
        self._device = device
        count, height, width, _ = cache.hr.shape
        # A frame takes the place of a photograph; its number is its name.
        frames = [Photo(Path(str(number)), height, width) for number in range(count)]
        self._places = DetailedPlaces(frames, size, scale, crops.detail, self._frame, workers)

    def draw(self, step: int) -> Drawn:
        """The crops of one step: uint8 N×h×h×3 and N×(s·h)×(s·h)×3 RGB."""
        lr, hr = [], []
        for crop in self._plan(step):
            small, large = self._cut(crop)
            lr.append(_turned(small, crop.turns, crop.flip))
            hr.append(_turned(large, crop.turns, crop.flip))
        return np.stack(lr), np.stack(hr)

    def load(self, drawn: Drawn, step: int) -> tuple[Tensor, Tensor]:
        """What `draw` returned as float N×3×h×h and N×3×(s·h)×(s·h) in [0, 1] on the device."""
        small, large = (
            torch.from_numpy(part).to(self._device).permute(0, 3, 1, 2).float().div_(255)
            for part in drawn
        )
        return small, large

    def names(self, step: int) -> list[str]:
        """Encoder and quality of the frames that the batch of one step is cut from."""
        return [
            "clean" if crop.clean else self._cache.labels[crop.frame] for crop in self._plan(step)
        ]

    def _plan(self, step: int) -> list[_Crop]:
        rng = np.random.default_rng((self._seed, step))
        places = self._places.draw(rng, self._batch)
        turns = rng.integers(4, size=self._batch)
        flips = rng.integers(2, size=self._batch)
        clean = rng.random(self._batch) < self._clean
        return [
            _Crop(*places[index], int(turns[index]), bool(flips[index]), bool(clean[index]))
            for index in self._part
        ]

    def _frame(self, frame: Photo) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._cache.hr[int(str(frame.path))])

    def _cut(self, crop: _Crop) -> Drawn:
        side, scale = self._size // self._scale, self._scale
        top, left = crop.top // scale, crop.left // scale
        inputs = self._cache.clean if crop.clean else self._cache.coded
        small = inputs[crop.frame, top : top + side, left : left + side]
        rows, columns = (slice(first * scale, (first + side) * scale) for first in (top, left))
        return small, self._cache.hr[crop.frame, rows, columns]


def _turned(image: NDArray[np.uint8], turns: int, flip: bool) -> NDArray[np.uint8]:
    turned = np.rot90(image, turns)
    return turned[:, ::-1] if flip else turned
