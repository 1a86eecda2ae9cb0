"""A model whose layers run one by one, on any rows, in several threads.

`kept_layers` computes with it what changed from frame to frame.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.contract import INPUT
from ...models.file import ModelSpec
from ...ort.session import OrtSession
from ...session.protocol import Frames
from .cells import AROUND, CELL, Places, Rows, Values
from .chain import Chain, chain_of, kept_name, strip_input, strip_output
from .interleaved import Interleaved
from .packed import PACKED

MOST_THREADS = 4
"""With more, whole frames and regions are computed faster, and this is not known to be: it was
measured with two."""
BATCH_BYTES = 2800 << 10
"""Of what is read and written at once, so that it stays in the processor's cache."""
_LARGE_PAGES = 4 << 20
"""An array of that many bytes has large pages, which NumPy asks for."""


@dataclass(frozen=True)
class _Shapes:
    """Of what a layer reads and writes for one row of a strip."""

    reads: tuple[int, int]
    writes: tuple[int, int]

    @property
    def bytes(self) -> int:
        """Of both."""
        return prod(self.reads) + prod(self.writes)


class LayeredNetwork:
    """A model whose layers are run for strips. Used by one thread at a time."""

    def __init__(
        self,
        spec: ModelSpec,
        chain: Chain,
        name: str,
        provider: str,
        threads: int,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        """Load what `chain_of` found. Raises BackendError."""
        self._batch_bytes = batch_bytes
        self.scale = spec.scale
        self.channels = chain.channels
        self._whole = OrtSession(name, chain.whole, provider, threads)
        self._strips = OrtSession(name, chain.strips, provider, 1)
        self._reshuffle = Interleaved(spec.scale, chain.results)
        self.workers = threads
        self._pool: ThreadPoolExecutor | None = None
        if self.workers > 1:
            self._pool = ThreadPoolExecutor(self.workers - 1, thread_name_prefix="bands")
        self.outputs = (*chain.channels[1:], chain.results)
        self._layers = [
            _Shapes((AROUND, count), (CELL, results))
            for count, results in zip(chain.channels, self.outputs, strict=True)
        ]
        self._layers[0] = _Shapes((3, 4 * 3), (CELL // 4, 4 * self.outputs[0]))
        self._bindings: list[dict[int, Any]] = [{} for _ in range(self.workers)]
        self._space = [np.empty(0, np.uint8) for _ in range(self.workers)]

    def run_whole(self, values: list[Values], out: Frames) -> None:
        """Upscale the frame in `values[0]` to `out`, sH×sW×3, and fill the others."""
        frame = values[0].all
        outputs = {kept_name(number): kept.all for number, kept in enumerate(values[1:], 1)}
        outputs[PACKED] = self._reshuffle.packed(*frame.shape[:3])
        self._whole.run({INPUT: frame}, outputs)
        self._reshuffle.into(out[None])

    def aside(self, work: Callable[[], None]) -> Future[None] | None:
        """Start something in another thread, if there is one."""
        return None if self._pool is None else self._pool.submit(work)

    def in_threads(self, calls: int, work: Callable[[int], None]) -> None:
        """Call `work` with the numbers of workers, from 0, at most `workers` of them."""
        others: list[Future[None]] = []
        try:
            if self._pool is not None:
                others.extend(self._pool.submit(work, number) for number in range(1, calls))
            work(0)
        finally:
            wait(others)  # all of them: what they write to belongs to the caller afterwards
        for other in others:
            other.result()

    def run_layer(
        self,
        worker: int,
        layer: int,
        rows: Rows,
        read: Values,
        write: Callable[[Places, NDArray[np.uint8]], None],
    ) -> None:
        """Compute rows of a layer from what it reads, and give `write` targets and codes."""
        batch = max(64, self._batch_bytes // self._layers[layer].bytes)
        for start in range(0, len(rows) - 2, batch):
            end = min(len(rows), start + batch + 2)
            codes = self._run(worker, layer, read.read(rows, start, end))
            write(rows.targets[start : end - 2], codes)

    def _run(self, worker: int, layer: int, rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The codes of a layer for all rows but the first and the last, N×(8·C).

        They are in memory that the worker's next call uses again.
        """
        count = len(rows) - 2
        shapes = self._layers[layer]
        size = count * prod(shapes.writes)
        if len(self._space[worker]) < size:
            self._space[worker] = np.empty(max(size, _LARGE_PAGES), np.uint8)
        codes = self._space[worker][:size].reshape(count, -1)
        binding = self._bindings[worker].get(layer)
        if binding is None:
            every = list(enumerate(self._layers))
            nothing = {strip_input(n): np.empty((0, 3, *one.reads), np.uint8) for n, one in every}
            none = {strip_output(n): np.empty((0, 1, *one.writes), np.uint8) for n, one in every}
            binding = self._bindings[worker][layer] = self._strips.bind(nothing, none)
        self._strips.run_bound(
            binding,
            (strip_input(layer), rows.reshape(1, len(rows), *shapes.reads)),
            (strip_output(layer), codes.reshape(1, count, *shapes.writes)),
        )
        return codes

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._bindings.clear()
        self._whole.close()
        self._strips.close()


def open_layers(
    spec: ModelSpec, name: str, provider: str, threads: int, batch_bytes: int = BATCH_BYTES
) -> LayeredNetwork | None:
    """The model for strips, or None if it is not of that form or there are too many threads."""
    if threads > MOST_THREADS:
        return None
    chain = chain_of(spec)
    if chain is None:
        return None
    return LayeredNetwork(spec, chain, name, provider, threads, batch_bytes)
