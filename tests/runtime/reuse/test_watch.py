"""When frames are looked at closely."""

from __future__ import annotations

import numpy as np

from framelift.runtime.reuse.watch import Watch


def _moving(count: int) -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 256, (count, 32, 40, 3), np.uint8))


def test_moving_footage_is_looked_at_less_and_less() -> None:
    watch, looks = Watch(parts=True), 0
    for frame in _moving(400):
        if not watch.close:
            watch.glance(frame)
        if watch.close:
            looks += 1
            watch.missed(hopeless=True)
    assert looks < 8


def test_a_picture_that_comes_to_rest_is_seen() -> None:
    for parts in (True, False):
        watch = Watch(parts=parts)
        *moving, still = _moving(60)
        for frame in moving:
            if watch.close:
                watch.missed(hopeless=True)
            else:
                watch.glance(frame)
        assert not watch.close
        for _ in range(70):
            if not watch.close:
                watch.glance(still)
        assert watch.close


def test_a_part_at_rest_is_enough_where_parts_are_reused() -> None:
    still, *moving = _moving(80)
    for frame in moving:
        frame[:16] = still[:16]
    for parts in (True, False):
        watch = Watch(parts=parts)
        for _ in range(8):
            watch.missed(hopeless=True)
        for frame in moving:
            if not watch.close:
                watch.glance(frame)
        assert watch.close == parts
