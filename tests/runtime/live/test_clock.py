"""One time line over clocks that start anywhere."""

from __future__ import annotations

import pytest

from framelift.runtime.live.sources.clock import LiveClock


class Wall:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.seconds = 500.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def clock(wall: Wall) -> LiveClock:
    return LiveClock(wall)


def test_stated_distances_are_kept_whenever_frames_arrive(wall: Wall, clock: LiveClock) -> None:
    times = []
    for stated, arrival in ((77.0, 0.0), (77.04, 0.1), (77.08, 0.1), (77.12, 0.13)):
        wall.seconds = 500 + arrival
        times.append(clock.stamp(stated)[0])
    assert times == [0, 3600, 7200, 10800]


def test_age_is_that_against_the_quickest_frame(wall: Wall, clock: LiveClock) -> None:
    ages = []
    for stated, arrival in ((0.0, 0.0), (1.0, 0.7), (2.0, 1.8), (3.0, 2.7)):
        wall.seconds = 500 + arrival
        ages.append(clock.stamp(stated)[1])
    assert ages == pytest.approx([0, 0, 0.1, 0])


def test_a_jump_and_a_new_connection_count_from_arrival(wall: Wall, clock: LiveClock) -> None:
    clock.stamp(10.0)
    wall.seconds = 501.0
    assert clock.stamp(99000.0) == (90000, 0)
    wall.seconds = 503.0
    clock.restart()
    assert clock.stamp(0.5) == (3 * 90000, 0)
    wall.seconds = 503.5
    assert clock.stamp(1.0) == (round(3.5 * 90000), 0)


def test_times_always_rise(wall: Wall, clock: LiveClock) -> None:
    assert [clock.stamp(5.0)[0], clock.stamp(5.0)[0], clock.stamp(4.9)[0]] == [0, 1, 2]
    wall.seconds = 500.5
    assert clock.stamp(None) == (45000, 0)


def test_two_hours_do_not_drift(wall: Wall, clock: LiveClock) -> None:
    for index in range(0, 2 * 3600 * 30, 7):
        wall.seconds = 500 + index * 1001 / 30000
        pts, _ = clock.stamp(index * 1001 / 30000)
        assert pts == index * 3003


def test_a_reader_that_keeps_all_may_fall_behind(wall: Wall) -> None:
    """A frame a second, of which each takes three: no time is left out, and a jump is still one."""
    clock = LiveClock(wall, keeps_all=True)
    times = []
    for stated in range(10):
        wall.seconds = 500 + 3 * stated
        times.append(clock.stamp(float(stated))[0] / 90000)
        assert clock.place(stated + 0.5) == stated + 0.5
    assert times == list(range(10))
    assert clock.stamp(1000.0)[0] == 27 * 90000  # ahead of the wall: a new clock
    wall.seconds += 1
    assert clock.stamp(2.0)[0] == 28 * 90000  # behind the last frame: another
