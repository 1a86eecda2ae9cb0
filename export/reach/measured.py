"""How far a model's pixels reach, and by what tiles may be shifted, measured by changing frames.

One half of a frame is exchanged, then left out, as in a tile that ends there; where the picture of
the other half changes is how far the model looks across the cut. One that looks at the whole frame
(global attention or pooling, norms over the frame) changes everywhere. Models of windows of
attention change nowhere else if the frame is cut at whole windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.session.protocol import Frames
from ...runtime.tiling import TileRunner, minimum_tile, plan_tiles
from ..parity.photo import moving_photo, noise
from ..parity.sizes import Sizes

Values = NDArray[np.float32]
Run = Callable[[Frames], Values]
"""Makes of window×H×W×3 BGR frames the picture sH×sW×3 in code values; it may be unrounded."""

_SEEN = 1 / 64
"""Code values by which a pixel must change to count; tiles then agree to a rounding."""
_LENGTHS = (128, 256, 512)
_FACTORS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64)
_SIDE = 64
_KEPT_PX = 24


@dataclass(frozen=True)
class Reach:
    """`halo` in input pixels, None for the whole frame. Frames that are shifted by a multiple of
    `multiple` give the same picture, shifted.
    """

    halo: int | None
    multiple: int


@dataclass(frozen=True)
class Measured:
    """A model to be measured: how it runs, its scale, the sizes and number of frames it takes."""

    run: Run
    scale: int
    sizes: Sizes
    window: int = 1

    def side(self, axis: int, wanted: int) -> int:
        """A height (axis 0) or width that it takes, of `wanted` or a little more if it is free."""
        fixed = (self.sizes.height, self.sizes.width)[axis]
        multiple = self.sizes.multiple
        return fixed or -(-max(wanted, self.sizes.minimum) // multiple) * multiple

    def is_fixed(self, axis: int) -> bool:
        """Whether that side is of one length."""
        return (self.sizes.height, self.sizes.width)[axis] is not None


def measure_reach(model: Measured) -> Reach:
    """Measure on a photograph and on noise.

    What `model.run` raises goes through.
    """
    smallest = model.sizes.multiple
    halo = _reach(model, smallest, _across)
    if halo is None:
        return Reach(None, smallest)
    for factor in _FACTORS:
        multiple = factor * smallest
        at_edge = _reach(model, multiple, _at_edge)
        if at_edge is not None:
            if factor > 1:  # windows end at multiples of it, which is where to cut
                halo = _reach(model, multiple, _across)
            return Reach(None if halo is None else max(halo, at_edge), multiple)
    return Reach(None, smallest)


def tiles_agree(model: Measured, reach: Reach) -> bool:
    """Whether tiles, cut as `reach` says, give what the whole frame gives: to one code value."""
    if reach.halo is None or model.is_fixed(0) or model.is_fixed(1):
        return reach.halo is not None
    multiple = reach.multiple
    least = minimum_tile(reach.halo, multiple, model.sizes.minimum)
    tile = -(-(least + _KEPT_PX) // multiple) * multiple
    side = tile + -(-_KEPT_PX // multiple) * multiple  # two tiles in each direction
    frames = moving_photo(model.window, side, side)
    plan = plan_tiles(side, side, reach.halo, multiple, max_pixels=side * side, side=tile)
    if plan is None:
        return True
    out = np.empty((side * model.scale, side * model.scale, 3), np.uint8)
    runner = TileRunner(plan, model.scale, _allocate, model.window)
    runner.run(_Tiles(model), frames, out)
    difference = np.abs(_rounded(model.run(frames)).astype(np.int16) - out)
    return bool((difference <= 1).all())


class _Tiles:
    """See `runtime.session.protocol.Session`: runs tiles one by one."""

    name = provider = device = "measured"

    def __init__(self, model: Measured) -> None:
        self._model = model

    def run(self, frames: Frames, out: Frames) -> None:
        out[0] = _rounded(self._model.run(frames))

    def describe(self) -> dict[str, str | int]:
        return {}

    def close(self) -> None:
        pass


def _allocate(shape: tuple[int, ...]) -> Frames:
    return np.empty(shape, np.uint8)


def _rounded(picture: Values) -> Frames:
    rounded: Frames = np.floor(np.clip(picture + 0.5, 0, 255)).astype(np.uint8)
    return rounded


_Measure = Callable[[Measured, tuple[int, int], int, int], int | None]


def _reach(model: Measured, multiple: int, measure: _Measure) -> int | None:
    """The larger of both axes, on frames as long as is needed; None if there is no end to it."""
    largest = 0
    for axis in (0, 1):
        reach = None
        for length in _LENGTHS:
            size = [model.side(other, _SIDE) for other in (0, 1)]
            size[axis] = model.side(axis, -(-length // multiple) * multiple)
            reach = measure(model, (size[0], size[1]), axis, multiple)
            if reach is not None or model.is_fixed(axis):
                break
        if reach is None:
            return None
        largest = max(largest, reach)
    return largest


def _across(model: Measured, size: tuple[int, int], axis: int, multiple: int) -> int | None:
    """How far what lies across the middle is seen, None if the frame is too short to find out."""
    pair = moving_photo(model.window, *size), noise(model.window, *size)
    length = size[axis]
    cut = length // 2 // multiple * multiple
    if not cut:
        return None
    pictures = [_along(model.run(frames), axis) for frames in pair]
    reach = 0
    for first, second in ((0, 1), (1, 0)):
        # `first` before the cut, `second` behind it: each side is compared with its own frame.
        before, _ = np.split(pair[first], [cut], axis + 1)
        _, behind = np.split(pair[second], [cut], axis + 1)
        picture = _along(model.run(np.concatenate([before, behind], axis + 1)), axis)
        edge = cut * model.scale
        after = _changed(picture[edge:], pictures[second][edge:])
        ahead = _changed(picture[:edge], pictures[first][:edge])
        reach = max(reach, _last(after, model.scale), _last(ahead[::-1], model.scale))
    return reach if reach + multiple < min(cut, length - cut) else None


def _at_edge(model: Measured, size: tuple[int, int], axis: int, multiple: int) -> int | None:
    """How far an edge of the frame is seen where the frame could go on; None as `_across`.

    The edge lies at an odd multiple of `multiple`, so that it is not one of twice as much.
    """
    length, s = size[axis], model.scale
    shift = ((length // 2 // multiple - 1) // 2 * 2 + 1) * multiple
    if shift >= length:
        return None
    if model.is_fixed(axis):  # two parts of a longer frame
        larger = list(size)
        larger[axis] += shift
        whole = moving_photo(model.window, *larger)
        first, second = (
            np.split(whole, [length], axis + 1)[0],
            np.split(whole, [shift], axis + 1)[1],
        )
    else:
        first = moving_photo(model.window, *size)
        second = np.split(first, [shift], axis + 1)[1]
    overlap = s * (length - shift)
    early = _along(model.run(np.ascontiguousarray(first)), axis)[s * shift :]
    late = _along(model.run(np.ascontiguousarray(second)), axis)[:overlap]
    changed = _changed(early, late)
    if not model.is_fixed(axis):
        reach = _last(changed, s)
        return reach if reach + multiple < length - shift else None
    half = len(changed) // 2  # the edge of the one is ahead of it, that of the other behind
    reach = max(_last(changed[:half], s), _last(changed[half:][::-1], s))
    return reach if reach + 1 < half // s else None


def _last(changed: NDArray[np.bool_], scale: int) -> int:
    """The input pixels up to the last row that changed."""
    return int(np.flatnonzero(changed)[-1]) // scale + 1 if changed.any() else 0


def _along(picture: Values, axis: int) -> Values:
    return np.moveaxis(picture, axis, 0)


def _changed(a: Values, b: Values) -> NDArray[np.bool_]:
    """Which rows differ."""
    changed: NDArray[np.bool_] = np.abs(a - b).max(axis=(1, 2)) > _SEEN
    return changed
