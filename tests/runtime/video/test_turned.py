"""Clips that are to be shown turned or mirrored."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from framelift.runtime.live.run import upscale_live
from framelift.runtime.live.sources.address import parse_source
from framelift.runtime.live.sources.opening import LiveOptions
from framelift.runtime.live.targets.address import parse_target
from framelift.runtime.video.clip.frame import Frame, Image
from framelift.runtime.video.clip.pool import FramePool
from framelift.runtime.video.turned import is_upright, turn_of

from ...support.clips import Nearest, make_clip, noise

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


@pytest.mark.parametrize("compare", [False, True])
def test_a_turned_clip_is_played_in_few_buffers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compare: bool
) -> None:
    clip = make_clip(tmp_path / "a.mp4", noise(60), display_matrix=[*matrix_of(0, 1, -1, 0)])
    height, width = noise(1)[0].shape[:2]
    pools: list[FramePool] = []

    class Watched(FramePool):
        def __init__(self) -> None:
            super().__init__()
            pools.append(self)

    monkeypatch.setattr("framelift.runtime.live.run.pool_for", lambda _: Watched())
    monkeypatch.setattr("framelift.runtime.video.turned.FramePool", Watched)
    sizes = []

    class Collected:
        def write(self, frame: Frame) -> None:
            sizes.append(frame.bgr.shape[1::-1])

        def finish(self) -> None:
            pass

    monkeypatch.setattr("framelift.runtime.live.run.open_sink", lambda *_, **__: Collected())
    result = upscale_live(
        parse_source(str(clip)),
        parse_target("-"),
        Nearest(),
        quiet=True,
        options=LiveOptions(keep_all=True, compare=compare),
    )
    shown = (4 * height if compare else 2 * height, 2 * width)
    assert set(sizes) == {shown}
    assert (len(sizes), (result.width_px, result.height_px)) == (60, shown)
    stored, turned = pools
    assert stored.allocated == 1
    assert turned.allocated < 10
