"""Clips that are to be shown turned or mirrored."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from framelift.runtime.live.turned import Turned, is_upright, turn_of
from framelift.runtime.video.frame import Frame, Image
from framelift.runtime.video.pool import FramePool

SIGNS = [(a, 0, 0, d) for a, d in product((1, -1), repeat=2)]
SIGNS += [(0, b, c, 0) for b, c in product((1, -1), repeat=2)]


def matrix_of(a: int, b: int, c: int, d: int) -> tuple[int, ...]:
    return (a << 16, b << 16, 0, c << 16, d << 16, 0, 7 << 16, 3 << 16, 1 << 30)


@pytest.mark.parametrize("signs", SIGNS)
def test_every_pixel_is_where_the_matrix_puts_it(signs: tuple[int, int, int, int]) -> None:
    image: Image = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    turn = turn_of(matrix_of(*signs))
    assert turn is not None
    assert is_upright(matrix_of(*signs)) == (signs == (1, 0, 0, 1))
    out = turn(image, np.empty((7, 5, 3) if turn.transposes else (5, 7, 3), np.uint8))
    a, b, c, d = signs
    left, top = (min(0, one * 6, two * 4, one * 6 + two * 4) for one, two in ((a, c), (b, d)))
    for y, x in product(range(5), range(7)):
        assert np.array_equal(out[b * x + d * y - top, a * x + c * y - left], image[y, x])


def test_other_angles_are_none() -> None:
    assert turn_of(matrix_of(1, 1, -1, 1)) is None
    nearly = (65536, 3, 0, -3, 65536, 0, 0, 0, 1 << 30)
    assert is_upright(nearly)
    assert not is_upright((0,) * 9)
    assert turn_of((0,) * 9) is None


def test_buffers_go_round() -> None:
    pool = FramePool()
    turn = turn_of(matrix_of(0, 1, -1, 0))
    assert turn is not None

    def frames() -> list[Frame]:
        return [Frame(pool.take((4, 6, 3)), 0, Fraction(1), 0)]

    for _ in range(3):
        turned = Turned(frames(), turn, pool)
        (frame,) = turned
        assert frame.bgr_u8.shape == (6, 4, 3)
        assert turned.own.allocated == 1
    assert pool.allocated == 1
