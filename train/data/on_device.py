"""Photographs kept in the training device's memory, where crops are cut: `data.on_device`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from ...common.errors import ConfigError
from .crops import CropSampler
from .memory import free_bytes
from .photos import Photo, read_photo

GIB = 1 << 30


class DeviceCrops:
    """Cuts the batches that `CropSampler.batch` draws, from photographs decoded once.

    All pixels of all photographs lie in one uint8 tensor P×3. A crop, however it is turned and
    flipped, is a start in it and two strides, so that a batch is one gather and its description
    three numbers a crop.
    """

    def __init__(self, sampler: CropSampler, device: torch.device, workers: int) -> None:
        """Decode and upload all photographs.

        Raises ConfigError if they do not fit into the device's memory, InputError for a photograph
        that can no longer be read.
        """
        self._sampler = sampler
        self._device = device
        photos = sampler.photos
        self._starts: dict[Photo, int] = {}
        count = 0
        for photo in photos:
            self._starts[photo] = count
            count += photo.height * photo.width
        self._pixels = _allocated(count, device, len(photos))
        with ThreadPoolExecutor(workers) as pool:
            for photo, image in zip(photos, pool.map(read_photo, photos), strict=True):
                pixels = torch.from_numpy(image.reshape(-1, 3))
                start = self._starts[photo]
                self._pixels[start : start + len(pixels)] = pixels.to(device)

    def draw(self, step: int) -> Tensor:
        """Start, row stride and column stride of each crop of a step: int64 N×3 on the host."""
        places = []
        last = self._sampler.size - 1
        for crop in self._sampler.plan(step):
            start = self._starts[crop.photo] + crop.top * crop.photo.width + crop.left
            down, right = crop.photo.width, 1
            for _ in range(crop.turns):  # as np.rot90: counterclockwise
                start, down, right = start + last * right, -right, down
            if crop.flip:
                start, right = start + last * right, -right
            places.append((start, down, right))
        drawn = torch.from_numpy(np.array(places, np.int64))
        return drawn.pin_memory() if self._device.type == "cuda" else drawn

    def load(self, drawn: Tensor) -> Tensor:
        """The crops of what `draw` returned: uint8 N×size×size×3 RGB on the device."""
        start, down, right = drawn.to(self._device, non_blocking=True).view(-1, 3, 1, 1).unbind(1)
        along = torch.arange(self._sampler.size, device=self._device)
        return self._pixels[start + along[:, None] * down + along * right]


def _allocated(pixels: int, device: torch.device, photos: int) -> Tensor:
    needed = 3 * pixels
    free = free_bytes(device)
    try:
        if needed > free:
            raise MemoryError
        return torch.empty((pixels, 3), dtype=torch.uint8, device=device)
    except (MemoryError, RuntimeError) as error:
        raise ConfigError(
            f"data.on_device: {photos} photographs take {needed / GIB:.1f} GiB decoded and do not "
            f"fit into the memory of {device}, which has {free / GIB:.1f} GiB free; "
            "set data.on_device=false or use fewer"
        ) from error
