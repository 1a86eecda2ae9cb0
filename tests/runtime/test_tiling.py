from __future__ import annotations

from itertools import pairwise

import pytest

from framelift.runtime.tiling import TilePlan, minimum_tile, plan_tiles


def _check(plan: TilePlan, height: int, width: int, halo: int, multiple: int) -> None:
    """Every pixel is kept once, halo pixels away from any cut, by tiles on the size grid."""
    axes = ((plan.rows, plan.height, height), (plan.columns, plan.width, width))
    for spans, tile, full in axes:
        assert tile % multiple == 0
        assert spans[0].keep_start == 0
        assert spans[-1].keep_stop == full
        assert all(left.keep_stop == right.keep_start for left, right in pairwise(spans))
        for span in spans:
            assert span.start % multiple == 0
            assert 0 <= span.start <= full - tile
            assert span.start == 0 or span.keep_start >= span.start + halo
            assert span.start + tile == full or span.keep_stop <= span.start + tile - halo
            assert span.keep_start < span.keep_stop


@pytest.mark.parametrize("multiple", [1, 2, 3, 8])
@pytest.mark.parametrize("halo", [0, 1, 5, 11])
@pytest.mark.parametrize("size", [(24, 48), (240, 24), (96, 1200)])
@pytest.mark.parametrize("extra", [0, 1, 7, 50])
def test_tiles_of_a_side_cover_the_frame(
    size: tuple[int, int], halo: int, multiple: int, extra: int
) -> None:
    height, width = size
    side = minimum_tile(halo, multiple) + extra
    plan = plan_tiles(height, width, halo, multiple, max_pixels=1, side=side)
    if plan is None:
        assert max(height, width) <= side
        return
    assert max(plan.height, plan.width) <= side
    _check(plan, height, width, halo, multiple)


@pytest.mark.parametrize("max_pixels", [1, 1000, 5000, 20_000])
@pytest.mark.parametrize(("halo", "multiple"), [(0, 1), (7, 1), (5, 4)])
def test_tiles_within_a_pixel_budget(max_pixels: int, halo: int, multiple: int) -> None:
    plan = plan_tiles(152, 240, halo, multiple, max_pixels=max_pixels)
    assert plan is not None
    least = minimum_tile(halo, multiple)
    assert plan.height * plan.width <= max(max_pixels, least**2)
    _check(plan, 152, 240, halo, multiple)


def test_frame_within_the_budget_is_run_whole() -> None:
    assert plan_tiles(152, 240, 5, 1, max_pixels=152 * 240) is None
    assert plan_tiles(152, 240, 5, 1, max_pixels=1, side=240) is None


def test_little_is_computed_twice() -> None:
    plan = plan_tiles(4320, 7680, 8, 1, max_pixels=1920 * 1080)
    assert plan is not None
    computed = plan.height * plan.width * len(plan.rows) * len(plan.columns)
    assert computed < 1.05 * 4320 * 7680


def test_minimum_tile() -> None:
    assert minimum_tile(0, 1) == 1
    assert minimum_tile(5, 1) == 11
    assert minimum_tile(5, 4) == 16
