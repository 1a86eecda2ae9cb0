"""Random crops, drawn so that step k is the same whenever and wherever it is drawn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .detail import DetailedPlaces
from .photos import Photo, read_photo

Drawn = TypeVar("Drawn")


class PhotoCache:
    """Decoded photographs, least recently used dropped beyond `limit_bytes`. Thread-safe."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._bytes = 0
        self._images: OrderedDict[Photo, NDArray[np.uint8]] = OrderedDict()
        self._lock = Lock()

    def get(self, photo: Photo) -> NDArray[np.uint8]:
        """The photograph as uint8 H×W×3 RGB."""
        with self._lock:
            if photo in self._images:
                self._images.move_to_end(photo)
                return self._images[photo]
        # Decoded without the lock, so that other threads need not wait. Two of them may decode the
        # same photograph; that is rare, and both have the same pixels.
        image = read_photo(photo)
        with self._lock:
            if photo not in self._images:
                self._images[photo] = image
                self._bytes += image.nbytes
            while self._bytes > self._limit and len(self._images) > 1:
                _, dropped = self._images.popitem(last=False)
                self._bytes -= dropped.nbytes
        return image


@dataclass(frozen=True)
class Crop:
    """Where one training crop is cut and how it is turned."""

    photo: Photo
    top: int
    left: int
    turns: int
    flip: bool


class CropSampler:
    """Draws the high-resolution batch of any step from (seed, step) alone, so resuming is exact.

    A photograph is drawn with probability in proportion to its pixels, then a crop of `size`
    pixels a side uniformly, or by `places`, then one of the eight flips and quarter turns. Of the
    `batch` crops of a step this sampler cuts those of `part` only: one process's share when several
    train together.
    """

    def __init__(
        self,
        photos: tuple[Photo, ...],
        size: int,
        batch: int,
        seed: int,
        cache_bytes: int,
        part: range | None = None,
    ) -> None:
        self._places: DetailedPlaces | None = None
        self.photos = photos
        self.size = size
        self._batch = batch
        self._seed = seed
        self._part = part or range(batch)
        self._cache = PhotoCache(cache_bytes)
        area = np.array([photo.height * photo.width for photo in photos], np.float64)
        self._probability = area / area.sum()

    def batch(self, step: int) -> NDArray[np.uint8]:
        """The crops of one step: uint8 N×size×size×3 RGB."""
        return np.stack([self._cut(crop) for crop in self.plan(step)])

    def files(self, step: int) -> list[str]:
        """The photographs that the batch of one step is cut from."""
        return [str(crop.photo.path) for crop in self.plan(step)]

    def plan(self, step: int) -> list[Crop]:
        """Where the crops of one step are cut."""
        # All crops of the step are drawn, and then those of `part` taken. Each process must use up
        # the same random numbers, or two would not train on the batch that one would.
        rng = np.random.default_rng((self._seed, step))
        if self._places is None:
            drawn = rng.choice(len(self.photos), self._batch, p=self._probability)
            crops = [self._anywhere(rng, self.photos[index]) for index in drawn]
        else:
            crops = [
                Crop(self.photos[index], top, left, *_turned(rng))
                for index, top, left in self._places.draw(rng, self._batch)
            ]
        return [crops[index] for index in self._part]

    def prefer_detail(self, scale: int, exponent: float, workers: int) -> None:
        """From now on, draw crops in proportion to their detail; see `DetailedPlaces`.

        Every photograph is read. Raises InputError for one that cannot be any more.
        """
        self._places = DetailedPlaces(
            self.photos, self.size, scale, exponent, self._cache.get, workers
        )

    def _anywhere(self, rng: np.random.Generator, photo: Photo) -> Crop:
        top = int(rng.integers(photo.height - self.size + 1))
        left = int(rng.integers(photo.width - self.size + 1))
        return Crop(photo, top, left, *_turned(rng))

    def _cut(self, crop: Crop) -> NDArray[np.uint8]:
        rows = slice(crop.top, crop.top + self.size)
        columns = slice(crop.left, crop.left + self.size)
        turned = np.rot90(self._cache.get(crop.photo)[rows, columns], crop.turns)
        mirrored: NDArray[np.uint8] = turned[:, ::-1] if crop.flip else turned
        return mirrored


def _turned(rng: np.random.Generator) -> tuple[int, bool]:
    """Quarter turns, and whether to flip."""
    return int(rng.integers(4)), bool(rng.integers(2))


class HostCrops:
    """Batches cut by the threads of the host and copied to `device`."""

    def __init__(self, sampler: CropSampler, device: torch.device) -> None:
        self._sampler = sampler
        self._device = device

    def draw(self, step: int) -> Tensor:
        """The crops of one step: uint8 N×size×size×3 RGB on the host, ready to be copied."""
        crops = torch.from_numpy(self._sampler.batch(step))
        return crops.pin_memory() if self._device.type == "cuda" else crops

    def load(self, drawn: Tensor) -> Tensor:
        """What `draw` returned, on the device."""
        return drawn.to(self._device, non_blocking=True)


def prefetch(
    draw: Callable[[int], Drawn], start: int, stop: int, workers: int = 2
) -> Generator[Drawn, None, None]:
    """What `draw` returns for steps start … stop-1 in order, by threads a few steps early."""
    ahead = 2 * workers  # each worker draws one while another one waits to be trained on
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="crops") as pool:
        waiting: list[Future[Drawn]] = []
        upcoming = iter(range(start, stop))
        try:
            while True:
                while len(waiting) < ahead and (step := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(draw, step))
                if not waiting:
                    return
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
