from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from framelift.runtime.reuse.changed import changed_blocks, equal_share, same_bytes, sampled_rows


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (8, 8), (24, 40), (29, 43), (270, 483)])
def test_a_changed_value_is_found_in_its_block(dtype: type, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    before: NDArray[Any] = rng.integers(0, 255, (*size, 3)).astype(dtype)
    assert not changed_blocks(before, before.copy()).any()
    for _ in range(20):
        row, column, channel = (int(rng.integers(0, side)) for side in before.shape)
        after = before.copy()
        after[row, column, channel] += 1
        found = changed_blocks(before, after)
        assert found.shape == (-(-size[0] // 8), -(-size[1] // 8))
        assert found.sum() == 1
        assert found[row // 8, column // 8]


def test_the_sampled_rows_say_how_much_is_equal() -> None:
    frame = np.random.default_rng(1).integers(0, 256, (64, 83, 3), np.uint8)
    rows = sampled_rows(frame)
    assert equal_share(rows, sampled_rows(frame.copy())) == 1
    half = frame.copy()
    half[:, :40] ^= 1
    assert equal_share(rows, sampled_rows(half)) == pytest.approx(0.5, abs=0.05)
    last = frame.copy()
    last[:, -2] ^= 1
    assert 0.9 < equal_share(rows, sampled_rows(last)) < 1
    assert equal_share(rows, sampled_rows(frame ^ 1)) == 0
    for width in (1, 2):
        narrow = frame[:, :width]
        assert equal_share(sampled_rows(narrow), sampled_rows(narrow)) == 1
        assert equal_share(sampled_rows(narrow), sampled_rows(narrow ^ 1)) == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (24, 40)])
def test_frames_are_the_same_if_all_bytes_are(dtype: type, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    before: NDArray[Any] = rng.integers(0, 255, (*size, 3)).astype(dtype)
    assert same_bytes(before, before.copy())
    for place in ((0, 0, 0), (-1, -1, -1), (size[0] // 2, size[1] // 2, 1)):
        after = before.copy()
        after[place] += 1
        assert not same_bytes(before, after)
