"""Sound that waits for pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import av
import numpy as np

from framelift.runtime.video.writing.sound_feed import SoundFeed


def feed(notes: list[str]) -> SoundFeed:
    stream: Any = SimpleNamespace(rate=8000, layout=SimpleNamespace(nb_channels=1))
    return SoundFeed(stream, notes.append)


def second() -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), "s16", "mono")
    frame.sample_rate = 8000
    return frame


def test_minutes_of_sound_behind_the_last_picture_are_kept() -> None:
    notes: list[str] = []
    sound = feed(notes)
    for number in range(300):
        sound.put(second(), float(number))
    times = []
    while (frame := sound.next_until(None)) is not None:
        times.append(frame.time)
    assert times == list(range(300))
    assert notes == []


def test_sound_that_waits_too_long_is_lost_with_one_line() -> None:
    notes: list[str] = []
    sound = feed(notes)
    for number in range(905):
        sound.put(second(), float(number))
    frame = sound.next_until(None)
    assert frame is not None
    assert frame.time == 5
    assert notes == ["sound is lost: no picture came for 900 s"]
