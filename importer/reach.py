"""How far a file's pixels reach, and by what it may be shifted, measured by changing frames.

One half of a frame is exchanged; where the picture of the other half changes is how far the file
looks across the cut. A file that looks at the whole frame (attention, global pooling, norms over
the frame) changes everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .convention import Frames, Values
from .photo import moving_photo, noise
from .sizes import Taken

Run = Callable[[Frames], Values]

_SEEN = 1 / 64
"""Code values by which a pixel must change to count; tiles then agree to a rounding."""
_LENGTHS = (128, 256, 512)
_FACTORS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64)
_INSIDE = 16


@dataclass(frozen=True)
class Reach:
    """`halo` in input pixels, None for the whole frame. Frames that are shifted by a multiple of
    `multiple` give the same picture, shifted.
    """

    halo: int | None
    multiple: int


def measure_reach(run: Run, taken: Taken, window: int) -> Reach:
    """Measure with `run`, which gives BGR code values sH×sW×3 of window×H×W×3 frames."""
    halo = _halo(run, taken, window, taken.multiple)
    if halo is None:
        return Reach(None, taken.multiple)
    for factor in _FACTORS:
        multiple = factor * taken.multiple
        if _shifts(run, taken, window, halo, multiple):
            if multiple > taken.multiple:  # windows end at multiples of it, which is where to cut
                halo = _halo(run, taken, window, multiple)
            return Reach(halo, multiple)
    return Reach(None, taken.multiple)


def _halo(run: Run, taken: Taken, window: int, multiple: int) -> int | None:
    """The radius across a cut at a multiple of `multiple`, None if there is no end to it."""
    fixed = taken.height, taken.width
    halo = 0
    for axis in (0, 1):
        reach = None
        for length in _LENGTHS:
            size = [fixed[0] or taken.base[0], fixed[1] or taken.base[1]]
            size[axis] = fixed[axis] or -(-max(length, taken.base[axis]) // multiple) * multiple
            reach = _across(run, taken, window, (size[0], size[1]), axis, multiple)
            if reach is not None or fixed[axis]:
                break
        if reach is None:
            return None
        halo = max(halo, reach)
    return halo


def _across(
    run: Run, taken: Taken, window: int, size: tuple[int, int], axis: int, multiple: int
) -> int | None:
    """The reach to either side of the middle along an axis, None if it comes to the frame's end."""
    pair = moving_photo(window, *size), noise(window, *size)
    length = size[axis]
    cut = length // 2 // multiple * multiple
    if not cut:
        return None
    pictures = [_along(run(frames), axis) for frames in pair]
    reach = 0
    for first, second in ((0, 1), (1, 0)):
        # `first` before the cut, `second` behind it: each side is compared with its own frame.
        before, _ = np.split(pair[first], [cut], axis + 1)
        _, behind = np.split(pair[second], [cut], axis + 1)
        picture = _along(run(np.concatenate([before, behind], axis + 1)), axis)
        edge = cut * taken.scale
        changed = _changed(picture[edge:], pictures[second][edge:])
        if changed.any():
            reach = max(reach, int(np.flatnonzero(changed)[-1]) // taken.scale + 1)
        changed = _changed(picture[:edge], pictures[first][:edge])[::-1]
        if changed.any():
            reach = max(reach, int(np.flatnonzero(changed)[-1]) // taken.scale + 1)
    return reach if reach + multiple < min(cut, length - cut) else None


def _shifts(run: Run, taken: Taken, window: int, halo: int, multiple: int) -> bool:
    """Whether shifting a frame by `multiple` shifts its picture, away from the borders."""
    margin = halo + multiple
    sides = []
    for fixed, base in zip((taken.height, taken.width), taken.base, strict=True):
        free = max(base, 2 * margin + multiple + _INSIDE)
        sides.append(fixed or -(-free // taken.multiple) * taken.multiple)
    height, width = sides
    if min(sides) < 2 * margin + multiple + 1:
        return False
    whole = moving_photo(window, height + multiple, width + multiple)
    first = run(np.ascontiguousarray(whole[:, :height, :width]))
    second = run(np.ascontiguousarray(whole[:, multiple:, multiple:]))
    s, near = taken.scale, taken.scale * margin
    ahead = near + s * multiple
    inside = first[ahead : -near or None, ahead : -near or None]
    shifted = second[near : len(second) - ahead or None, near : second.shape[1] - ahead or None]
    return not _changed(inside, shifted).any()


def _along(picture: Values, axis: int) -> Values:
    return np.moveaxis(picture, axis, 0)


def _changed(a: Values, b: Values) -> NDArray[np.bool_]:
    """Which rows differ."""
    changed: NDArray[np.bool_] = np.abs(a - b).max(axis=(1, 2)) > _SEEN
    return changed
