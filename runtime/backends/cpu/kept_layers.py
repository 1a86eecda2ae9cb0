"""The results of all layers of the last frame, of which parts are computed again.

A change at a pixel reaches one pixel further with each layer. Each layer so computes just the cells
(see `cells`) that changes can have reached, and reads what it needs around them from the results of
the layer before, which are kept. `docs/benchmarks.md` has what that is worth.

Each thread takes a band of rows through all layers. So that no thread waits for another, a band of
a layer has one row more on both sides than that of the next one.
"""

from __future__ import annotations

from bisect import bisect
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ...models.memory import activation_budget
from ...session.grey import make_grey
from ...session.protocol import Frames
from .cells import CELL, Marks, Places, Shuffle, Strips, Values
from .layered import LayeredNetwork

_MOST_BYTES = 640 << 20  # small ×4 at 1920×1080 takes 512, medium at 1280×720 539
_COST = 1.3
"""How long a cell takes relative to its share of a whole frame: copies come on top."""
_FIXED_COST = 0.06
"""What comes on top of all cells, relative to a whole frame. Both were fitted to nano, small and
medium with one thread. More threads do not make this part shorter."""
_COPIED_ROW = 0.05
"""How long copying a row of the last result takes relative to computing it."""
_CHECKED_ROWS = 4


@dataclass(frozen=True)
class Change:
    """What is to be computed of a frame."""

    marks: Marks
    """The pixels that differ."""
    in_rows: list[int]
    """How many cells a layer in the middle computes in each row."""
    cost: float
    """Time relative to that of a whole frame."""
    copied: bool
    """Whether the last result is in the array for the next one."""


class KeptLayers:
    """One frame, and the results of all layers for it. Used by one thread at a time.

    When a call fails, the results are those of no frame: call `compute` next.
    """

    def __init__(self, network: LayeredNetwork, height: int, width: int) -> None:
        self._network = network
        self.strips = Strips(height, width)
        self._values = Values.of_layers(self.strips, network.channels)
        self._shuffle = Shuffle(self.strips, network.scale, network.outputs[-1])
        self._later = len(self._values) // 2  # layers behind the one in the middle

    def compute(self, frame: Frames, out: Frames) -> None:
        """Upscale a frame, H×W×3, to `out`, sH×sW×3, and keep the results of all layers."""
        np.copyto(self._values[0].all[0], frame)
        self._network.run_whole(self._values, out)

    def change(self, frame: Frames, last: Frames, out: Frames, *, likely: bool) -> Change:
        """What is to be computed for a frame instead of the one that is kept.

        If that is likely to be worthwhile, another thread meanwhile copies the `last` result to
        `out`, where `update` wants it.
        """
        copying = self._network.aside(lambda: np.copyto(out, last)) if likely else None
        try:
            marks = self.strips.different(self._values[0].all[0], frame)
            in_rows = self.strips.near(marks, len(self._values) - self._later)
        finally:
            if copying is not None:
                copying.result()
        share = sum(in_rows) / (self.strips.height * self.strips.count)
        cost = _COST * share + _FIXED_COST * self._network.workers
        return Change(marks, in_rows, cost, copying is not None)

    def update(
        self, frame: Frames, change: Change, last: Frames, out: Frames, *, grey: bool
    ) -> float:
        """Write the result of a frame to `out`, and keep its layers.

        What changed is computed, and made grey if asked; the rest is that of the `last` result.
        `last` and `out` are those that `change` was called with. Returns the share that was
        computed.
        """
        np.copyto(self._values[0].all[0], frame)
        return self._compute(change, last, out, grey)

    def _compute(self, change: Change, last: Frames, out: Frames, grey: bool) -> float:
        bands = self._bands(change)
        computed = [0] * len(bands)

        def work(worker: int) -> None:
            computed[worker] = self._band(worker, bands[worker], change, last, out, grey)

        self._network.in_threads(len(bands), work)
        return sum(computed) / (self.strips.height * self.strips.count)

    def holds(
        self, change: Change, result: Frames, again: Frames, *, grey: bool, all_rows: bool
    ) -> bool:
        """Whether all or some rows of what `update` would compute come out for the kept frame as
        they are in its result. They are written to `again`, the array that `change` was called
        with.
        """
        if all_rows:
            self._compute(change, result, again, grey)
            return np.array_equal(again, result)
        first = change.in_rows.index(max(change.in_rows))
        end = min(self.strips.height, first + _CHECKED_ROWS)
        self._band(0, (first, end), change, result, again, grey)
        rows = np.s_[self._network.scale * first : self._network.scale * end]
        return np.array_equal(again[rows], result[rows])

    def _bands(self, change: Change) -> list[tuple[int, int]]:
        """First row and end of what each thread computes."""
        height = self.strips.height
        count = max(1, min(self._network.workers, height // (2 * len(self._values))))
        copied = 0.0 if change.copied else _COPIED_ROW * self.strips.count
        until = list(accumulate(cells + copied for cells in change.in_rows))  # time, up to a row
        edges = [bisect(until, until[-1] * number / count) for number in range(1, count)]
        ends = sorted({*edges, height} - {0})
        return list(zip([0, *ends], ends, strict=False))

    def _band(
        self,
        worker: int,
        band: tuple[int, int],
        change: Change,
        last: Frames,
        out: Frames,
        grey: bool,
    ) -> int:
        """Compute rows of the result; how many cells that took in the last layer."""
        network, shuffle, (first, end) = self._network, self._shuffle, band
        s, computed = network.scale, 0
        if not change.copied:
            np.copyto(out[s * first : s * end], last[s * first : s * end])

        def write(targets: Places, codes: NDArray[np.uint8]) -> None:
            nonlocal computed
            wanted = np.flatnonzero(targets != self.strips.nowhere)
            pixels = shuffle.pixels(codes.take(wanted, axis=0))
            if grey:
                make_grey(pixels.reshape(-1, *pixels.shape[2:]))
            computed += len(wanted)
            shuffle.write(targets[wanted], pixels, out)

        top, bottom = max(0, first - self._later), end + self._later
        changed = [row for row, cells in enumerate(change.in_rows[top:bottom], top) if cells]
        if not changed:
            return 0
        first, end = max(first, changed[0] - self._later), min(end, changed[-1] + 1 + self._later)
        writes = [*(values.write for values in self._values[1:]), write]
        found = self.strips.reached(change.marks, first, end, len(writes))
        for layer, (rows, read) in enumerate(zip(found, self._values, strict=True)):
            network.run_layer(worker, layer, rows, read, writes[layer])
        return computed


def keep(network: LayeredNetwork, height: int, width: int) -> KeptLayers | None:
    """Memory for the results of frames of that size; None if it would be too much."""
    size = height * width * sum(network.channels)
    if min(height, width) < CELL or size > min(_MOST_BYTES, activation_budget(None) // 2):
        return None
    try:
        return KeptLayers(network, height, width)
    except MemoryError:
        return None
