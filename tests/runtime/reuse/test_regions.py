from __future__ import annotations

import numpy as np
import pytest

from framelift.runtime.reuse.changed import changed_blocks
from framelift.runtime.reuse.regions import Reach, Region, Span, least_share, regions_of


def _changed_by(size: tuple[int, int], patches: list[tuple[int, int, int, int]]) -> np.ndarray:
    after = np.zeros((*size, 3), np.uint8)
    for top, left, height, width in patches:
        after[top : top + height, left : left + width] = 1
    return after


def _check(span: Span, full: int, halo: int, multiple: int) -> None:
    """What is kept lies `halo` pixels within what is read, or at the frame's own end."""
    assert 0 <= span.start <= span.keep_start < span.keep_stop <= span.stop <= full
    assert span.start % multiple == 0
    assert span.start == 0 or span.keep_start - span.start >= halo
    assert span.stop == full or span.stop - span.keep_stop >= halo
    assert span.stop == full or span.stop % multiple == 0


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("halo", "multiple"), [(0, 1), (9, 1), (5, 4), (3, 3), (60, 2)])
def test_regions_hold_all_that_changed_with_its_surroundings(
    seed: int, halo: int, multiple: int
) -> None:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(20, 200)), int(rng.integers(20, 200))
    patches = []
    for _ in range(int(rng.integers(1, 6))):
        top, left = int(rng.integers(0, size[0])), int(rng.integers(0, size[1]))
        patches.append((top, left, int(rng.integers(1, 30)), int(rng.integers(1, 30))))
    after = _changed_by(size, patches)
    before = np.zeros_like(after)
    reach = Reach(*size, halo, multiple, 24, call_pixels=50)
    right = np.ones(size, bool)  # what the last result is still right for
    for top, left in np.argwhere(after[..., 0]):
        right[max(0, top - halo) : top + halo + 1, max(0, left - halo) : left + halo + 1] = False
    for region in regions_of(changed_blocks(before, after), before, after, reach):
        rows, columns = region.rows, region.columns
        _check(rows, size[0], halo, multiple)
        _check(columns, size[1], halo, multiple)
        assert rows.stop - rows.start >= min(24, size[0])
        assert columns.stop - columns.start >= min(24, size[1])
        right[rows.keep_start : rows.keep_stop, columns.keep_start : columns.keep_stop] = True
    assert right.all()


def _regions(patches: list[tuple[int, int, int, int]], call_pixels: float = 500) -> list[Region]:
    after = _changed_by((270, 480), patches)
    before = np.zeros_like(after)
    reach = Reach(270, 480, 9, 1, 1, call_pixels)
    changed = changed_blocks(before, after)
    regions = regions_of(changed, before, after, reach)
    read = sum(region.run_pixels for region in regions)
    assert least_share(changed, reach) <= read / (270 * 480) + 0.02
    return regions


def test_what_lies_apart_is_run_apart_and_neighbours_together() -> None:
    corners = [(0, 0, 8, 8), (262, 472, 8, 8)]
    assert len(_regions(corners)) == 2
    (together,) = _regions([(100, 100, 8, 8), (100, 112, 8, 8)])
    assert together.kept_pixels == (8 + 2 * 9) * (20 + 2 * 9)
    assert len(_regions(corners, call_pixels=200_000)) == 1


def test_there_are_never_many() -> None:
    dots = [(top, left, 1, 1) for top in range(0, 270, 60) for left in range(0, 480, 60)]
    assert len(_regions(dots, call_pixels=0)) <= 24
