"""Random crops, drawn so that step k is the same whenever and wherever it is drawn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from ...imaging.errors import InputError
from .photos import Photo, read_rgb


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
        image = read_rgb(photo.path)
        if image is None or image.shape[:2] != (photo.height, photo.width):
            raise InputError(f"photograph {photo.path}: changed or removed during training")
        with self._lock:
            if photo not in self._images:
                self._images[photo] = image
                self._bytes += image.nbytes
            while self._bytes > self._limit and len(self._images) > 1:
                _, dropped = self._images.popitem(last=False)
                self._bytes -= dropped.nbytes
        return image


class CropSampler:
    """Draws the high-resolution batch of any step from (seed, step) alone, so resuming is exact.

    A photograph is drawn with probability in proportion to its pixels, then a crop of `size`
    pixels a side uniformly, then one of the eight flips and quarter turns.
    """

    def __init__(
        self, photos: tuple[Photo, ...], size: int, batch: int, seed: int, cache_bytes: int
    ) -> None:
        self._photos = photos
        self._size = size
        self._batch = batch
        self._seed = seed
        self._cache = PhotoCache(cache_bytes)
        area = np.array([photo.height * photo.width for photo in photos], np.float64)
        self._probability = area / area.sum()

    def batch(self, step: int) -> NDArray[np.uint8]:
        """The crops of one step: uint8 N×size×size×3 RGB."""
        rng = np.random.default_rng((self._seed, step))
        indices = rng.choice(len(self._photos), self._batch, p=self._probability)
        return np.stack([self._crop(self._photos[i], rng) for i in indices])

    def files(self, step: int) -> list[str]:
        """The photographs that the batch of one step is cut from."""
        rng = np.random.default_rng((self._seed, step))
        indices = rng.choice(len(self._photos), self._batch, p=self._probability)
        return [str(self._photos[i].path) for i in indices]

    def _crop(self, photo: Photo, rng: np.random.Generator) -> NDArray[np.uint8]:
        top = rng.integers(photo.height - self._size + 1)
        left = rng.integers(photo.width - self._size + 1)
        turns, flip = int(rng.integers(4)), rng.integers(2)
        image = self._cache.get(photo)
        crop = np.rot90(image[top : top + self._size, left : left + self._size], turns)
        mirrored: NDArray[np.uint8] = crop[:, ::-1] if flip else crop
        return mirrored


def prefetch(
    sampler: CropSampler, start: int, stop: int, ahead: int = 4
) -> Generator[NDArray[np.uint8], None, None]:
    """The batches of steps start … stop-1 in order, drawn by threads up to `ahead` steps early."""
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="crops") as pool:
        waiting: list[Future[NDArray[np.uint8]]] = []
        upcoming = iter(range(start, stop))
        try:
            while True:
                while len(waiting) < ahead and (step := next(upcoming, None)) is not None:
                    waiting.append(pool.submit(sampler.batch, step))
                if not waiting:
                    return
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()
