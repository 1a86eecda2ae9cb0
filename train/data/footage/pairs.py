"""Training batches cut from coded frames: `data.degradation = "codec"`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..detail import DetailedPlaces
from ..photos import Photo
from .cache import FootageCache

Drawn = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class FootagePairs:
    """Draws the batch of any step from (seed, step) alone, so that resuming is exact.

    A crop is drawn uniformly, or with `detail` in proportion to what the reduction took from it,
    then flipped and turned at random. It begins on a whole low-resolution pixel.
    """

    source = "Encoders"

    def __init__(
        self,
        cache: FootageCache,
        size: int,
        scale: int,
        batch: int,
        seed: int,
        part: range,
        device: torch.device,
        detail: float = 0.0,
        workers: int = 1,
    ) -> None:
        """Crops have `size` high-resolution pixels a side; `part` is this process's share."""
        self._cache = cache
        self._size = size
        self._scale = scale
        self._batch = batch
        self._seed = seed
        self._part = part
        self._device = device
        count, height, width, _ = cache.hr.shape
        # A frame stands for a photograph; its number is its name.
        frames = [Photo(Path(str(number)), height, width) for number in range(count)]
        self._places = DetailedPlaces(frames, size, scale, detail, self._frame, workers)

    def draw(self, step: int) -> Drawn:
        """The crops of one step: uint8 N×h×h×3 and N×(s·h)×(s·h)×3 RGB."""
        rng = np.random.default_rng((self._seed, step))
        places = self._places.draw(rng, self._batch)
        turns = rng.integers(4, size=self._batch)
        flips = rng.integers(2, size=self._batch)
        lr, hr = [], []
        for index in self._part:
            number, top, left = places[index]
            small, large = self._cut(number, top // self._scale, left // self._scale)
            lr.append(_turned(small, int(turns[index]), bool(flips[index])))
            hr.append(_turned(large, int(turns[index]), bool(flips[index])))
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
        rng = np.random.default_rng((self._seed, step))
        places = self._places.draw(rng, self._batch)
        return [self._cache.labels[places[index][0]] for index in self._part]

    def _frame(self, frame: Photo) -> NDArray[np.uint8]:
        return np.ascontiguousarray(self._cache.hr[int(str(frame.path))])

    def _cut(self, number: int, top: int, left: int) -> Drawn:
        side, scale = self._size // self._scale, self._scale
        small = self._cache.lr[number, top : top + side, left : left + side]
        large = self._cache.hr[
            number,
            top * scale : (top + side) * scale,
            left * scale : (left + side) * scale,
        ]
        return small, large


def _turned(image: NDArray[np.uint8], turns: int, flip: bool) -> NDArray[np.uint8]:
    turned = np.rot90(image, turns)
    return turned[:, ::-1] if flip else turned
