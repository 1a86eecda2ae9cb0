"""The results of all layers of the last frame, of which blocks are computed again.

A change at a pixel reaches one pixel further with each layer. Each layer so computes just the
blocks of 8×8 that changes can have reached, and reads what it needs around them from the results
of the layer before, which are kept. `docs/benchmarks.md` has what that is worth.

Blocks are run in batches that stay in the processor's cache, one thread for each batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.contract import INPUT
from ...models.file import ModelSpec
from ...models.memory import activation_budget
from ...ort.session import OrtSession
from ...session.grey import make_grey
from ...session.protocol import Frames
from .blocks import Grid, Places, Shuffle, Values
from .chain import AROUND, BLOCK, Chain, block_input, block_output, chain_of, kept_name
from .interleaved import Interleaved
from .packed import PACKED

MOST_THREADS = 8
"""With more, computing whole frames gains and this does not: Python hands out the batches."""
_MOST_WORKERS = 4
_MOST_BYTES = 512 << 20
_BATCH_BYTES = 900 << 10
_COST = 1.4
"""How long a block takes relative to its share of a whole frame: copies come on top."""


@dataclass(frozen=True)
class _Shapes:
    """Of what a layer reads and writes for one block."""

    reads: tuple[int, int, int]
    writes: tuple[int, int, int]

    @property
    def bytes(self) -> int:
        """Of both."""
        return prod(self.reads) + prod(self.writes)


class LayeredNetwork:
    """A model whose layers are run for blocks. Used by one thread at a time."""

    def __init__(
        self, spec: ModelSpec, chain: Chain, name: str, provider: str, threads: int
    ) -> None:
        """Load what `chain_of` found. Raises BackendError."""
        self.scale = spec.scale
        self.channels = chain.channels
        self._whole = OrtSession(name, chain.whole, provider, threads)
        self._blocks = OrtSession(name, chain.blocks, provider, 1)
        self._reshuffle = Interleaved(spec.scale)
        self._workers = min(threads, _MOST_WORKERS)
        self._pool: ThreadPoolExecutor | None = None
        if self._workers > 1:
            self._pool = ThreadPoolExecutor(self._workers - 1, thread_name_prefix="blocks")
        self.outputs = (*chain.channels[1:], 3 * spec.scale**2)
        self._layers = [
            _Shapes((AROUND, AROUND, count), (BLOCK, BLOCK, results))
            for count, results in zip(chain.channels, self.outputs, strict=True)
        ]
        grouped = _Shapes((AROUND, 3, 4 * 3), (BLOCK, BLOCK // 4, 4 * self.outputs[0]))
        self._layers[0] = grouped
        self._bindings: list[dict[int, Any]] = [{} for _ in range(self._workers)]
        self._space = [np.empty(0, np.uint8) for _ in range(self._workers)]

    def keep(self, height: int, width: int) -> KeptLayers | None:
        """Memory for the results of frames of that size; None if it would be too much."""
        size = height * width * sum(self.channels)
        if min(height, width) < BLOCK or size > min(_MOST_BYTES, activation_budget(None) // 2):
            return None
        try:
            return KeptLayers(self, height, width)
        except MemoryError:
            return None

    def run_whole(self, values: list[Values], out: Frames) -> None:
        """Upscale the frame in `values[0]` to `out`, sH×sW×3, and fill the others."""
        frame = values[0].all
        outputs = {kept_name(number): kept.all for number, kept in enumerate(values[1:], 1)}
        outputs[PACKED] = self._reshuffle.packed(*frame.shape[:3])
        self._whole.run({INPUT: frame}, outputs)
        self._reshuffle.into(out[None])

    def run_layer(
        self,
        layer: int,
        places: Places,
        read: Values,
        write: Callable[[Places, NDArray[np.uint8]], None],
    ) -> None:
        """Compute blocks of a layer from what it reads, and give `write` their codes."""
        batches = self._batches(layer, places)
        lock = Lock()

        def work(worker: int) -> None:
            while True:
                with lock:
                    batch = next(batches, None)
                if batch is None:
                    return
                write(batch, self._run(worker, layer, read.around(batch)))

        others = []
        if self._pool is not None and len(places) > self._batch(layer):
            others = [self._pool.submit(work, number) for number in range(1, self._workers)]
        try:
            work(0)
        finally:
            for other in others:
                other.result()

    def _batch(self, layer: int) -> int:
        """Blocks of a layer that are run together."""
        return max(16, _BATCH_BYTES // self._layers[layer].bytes)

    def _batches(self, layer: int, places: Places) -> Iterator[Places]:
        size = self._batch(layer)
        calls = -(-len(places) // size)
        return iter(np.array_split(places, calls)) if calls else iter(())

    def _run(self, worker: int, layer: int, around: NDArray[Any]) -> NDArray[np.uint8]:
        """The codes of a layer for N blocks, in memory that the worker's next call uses again."""
        count = len(around)
        shapes = self._layers[layer]
        size = count * prod(shapes.writes)
        if len(self._space[worker]) < size:
            self._space[worker] = np.empty(size, np.uint8)
        codes = self._space[worker][:size]
        binding = self._bindings[worker].get(layer)
        if binding is None:
            every = list(enumerate(self._layers))
            nothing = {block_input(n): np.empty((0, *one.reads), np.uint8) for n, one in every}
            none = {block_output(n): np.empty((0, *one.writes), np.uint8) for n, one in every}
            binding = self._bindings[worker][layer] = self._blocks.bind(nothing, none)
        self._blocks.run_bound(
            binding,
            (block_input(layer), around.view(np.uint8).reshape(count, *shapes.reads)),
            (block_output(layer), codes.reshape(count, *shapes.writes)),
        )
        return codes

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._bindings.clear()
        self._whole.close()
        self._blocks.close()


@dataclass(frozen=True)
class Change:
    """What is to be computed of a frame: for each layer the blocks."""

    places: list[Places]
    cost: float
    """Time relative to that of a whole frame."""
    share: float
    """Share of the result that is computed, from 0 to 1."""


class KeptLayers:
    """One frame, and the results of all layers for it. Used by one thread at a time.

    When a call fails, the results are those of no frame: call `compute` next.
    """

    def __init__(self, network: LayeredNetwork, height: int, width: int) -> None:
        self._network = network
        self.grid = Grid(height, width)
        self._values = [Values(self.grid, count) for count in network.channels]
        self._shuffle = Shuffle(self.grid, network.scale)

    def compute(self, frame: Frames, out: Frames) -> None:
        """Upscale a frame, H×W×3, to `out`, sH×sW×3, and keep the results of all layers."""
        np.copyto(self._values[0].all[0], frame)
        self._network.run_whole(self._values, out)

    def change(self, frame: Frames) -> Change:
        """What is to be computed for a frame instead of the one that is kept."""
        channels = self._network.channels
        places = self.grid.reached(self._values[0].all[0], frame, len(channels))
        weights = [a * b for a, b in zip(channels, self._network.outputs, strict=True)]
        blocks = sum(weight * len(one) for weight, one in zip(weights, places, strict=True))
        whole = self.grid.count
        return Change(places, _COST * blocks / (whole * sum(weights)), len(places[-1]) / whole)

    def update(self, frame: Frames, change: Change, out: Frames, *, grey: bool) -> None:
        """Write to `out` what changed of its result, made grey if asked, and keep the rest."""
        network = self._network
        np.copyto(self._values[0].all[0], frame)
        for layer, (places, read) in enumerate(zip(change.places, self._values, strict=True)):
            if layer + 1 < len(self._values):
                network.run_layer(layer, places, read, self._values[layer + 1].put)
                continue

            def write(batch: Places, codes: NDArray[np.uint8]) -> None:
                pixels = self._shuffle.pixels(codes, len(batch))
                if grey:
                    make_grey(pixels.reshape(-1, *pixels.shape[2:]))
                self._shuffle.put(batch, pixels, out)

            network.run_layer(layer, places, read, write)


def open_layers(spec: ModelSpec, name: str, provider: str, threads: int) -> LayeredNetwork | None:
    """The model for blocks, or None if it is not of that form or there are too many threads."""
    if threads > MOST_THREADS:
        return None
    chain = chain_of(spec)
    return None if chain is None else LayeredNetwork(spec, chain, name, provider, threads)
