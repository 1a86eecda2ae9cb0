"""A live source that is connected to again when it fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic

from av import AudioFrame

from ....common.closing import Closing
from ....common.errors import InputError
from ....common.notes import Say, say_on_stderr
from ...video.clip.frame import Frame, Image
from ...video.writing.sound_feed import SoundFeed
from .clock import TIME_BASE, LiveClock
from .network import Connection

_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 8.0


class LiveSource(Closing):
    """Frames as they come, on one time line; iterate over it once, from one thread.

    When the connection fails or ends, it is made again, waiting a quarter of a second at first
    and twice as long each time, up to eight; a line says so. What still fails after
    `reconnect_seconds` ends the iteration, and `failure` says why. With 0 nothing is tried again,
    and a source that just ends is no failure.

    Raises:
        InputError: at construction, when the first connection fails: a wrong name is not tried
            twice.
    """

    def __init__(
        self,
        connect: Callable[[], Connection],
        shown: str,
        *,
        reconnect_seconds: float = 60.0,
        keeps_all: bool = False,
        sound: SoundFeed | None = None,
        say: Say = say_on_stderr,
    ) -> None:
        self._connect = connect
        self._shown = shown
        self._reconnect_seconds = reconnect_seconds
        self._say = say
        self._clock = LiveClock(keeps_all=keeps_all)
        self._stopped = threading.Event()
        self._reading = threading.Lock()
        self._feed = sound
        self._connection = connect()
        self.facts = self._connection.facts
        self.reconnects = 0
        """How often it was connected to again."""
        self.failure: InputError | None = None
        """Why the iteration ended, if not by `stop` or the end of the source."""

    def __iter__(self) -> Iterator[Frame]:
        with self._reading:
            while not self._stopped.is_set():
                fault = "the stream ended"
                try:
                    hear = None if self._feed is None else self._hear
                    for image, seconds in self._connection.frames(hear):
                        yield self._frame(image, seconds)
                        if self._stopped.is_set():
                            return
                    if not self._reconnect_seconds:
                        return
                except InputError as error:
                    fault = str(error).removeprefix(f"{self._shown}: ")
                self._connection.close()
                if not self._reconnected(fault):
                    return

    def stop(self) -> None:
        """End the iteration at the next frame, or the wait for a connection at once."""
        self._stopped.set()

    def close(self) -> None:
        """Stop and hang up; a thread that is stuck in the connection keeps it."""
        self.stop()
        if self._reading.acquire(timeout=0.1):
            self._connection.close()
            self._reading.release()

    def _hear(self, frame: AudioFrame, seconds: float) -> None:
        assert self._feed is not None
        placed = self._clock.place(seconds)
        if placed is not None:  # else no picture was shown yet
            self._feed.put(frame, placed)

    def _frame(self, image: Image, seconds: float | None) -> Frame:
        pts, age = self._clock.stamp(seconds)
        rate = self.facts.average_rate
        duration = round(1 / (rate * TIME_BASE)) if rate else 0
        return Frame(image, pts, TIME_BASE, duration, age)

    def _reconnected(self, fault: str) -> bool:
        lost, wait, tries = monotonic(), _FIRST_WAIT_SECONDS, 0
        if self._reconnect_seconds:
            self._say(f"{self._shown}: {fault}; reconnecting")
        while monotonic() - lost < self._reconnect_seconds:
            if self._stopped.wait(wait):
                return False
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
            tries += 1
            try:
                self._connection = self._connect()
            except InputError as error:
                fault = str(error).removeprefix(f"{self._shown}: ")
                continue
            self._clock.restart()
            self.reconnects += 1
            self._say(f"{self._shown}: back after {monotonic() - lost:.1f} s")
            return True
        attempts = f", {tries} attempts to reconnect failed" if tries else ""
        self.failure = InputError(f"{self._shown}: {fault}{attempts}")
        return False
