"""Keeps the segment in progress: its frames go into a spool, while that is worth it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from time import perf_counter

import av

from ....common.notes import Say
from .segments import WorkFolder
from .spool import Spool, picture_bytes

_LONG_SECONDS = 30.0
"""A line says that segments which take longer than this are not kept."""


class Unfinished:
    """The frames of one segment after the other. Used from one thread."""

    def __init__(
        self,
        folder: WorkFolder,
        spool: Spool,
        segment_frames: int,
        name: str,
        say: Say,
        worth: float,
    ) -> None:
        """`spool` is that of the first segment; `name` is that of the target, for messages.

        Frames are kept while that takes at most the share `worth` of the time of making them.
        """
        self._folder = folder
        self._spool: Spool | None = spool
        self._segment_frames = segment_frames
        self._name = name
        self._say = say
        self._worth = worth
        self._is_possible = True
        self._has_room = False
        self._frames = self._kept_frames = 0
        self._keeping_seconds = 0.0
        self._started = perf_counter()

    def found(self, pixel_format: str, size_px: tuple[int, int]) -> Iterator[av.VideoFrame]:
        """The pictures that an interrupted run left of the first segment."""
        assert self._spool is not None
        yield from self._spool.pictures(pixel_format, size_px)
        self._started = perf_counter()

    def keep(self, picture: av.VideoFrame) -> None:
        """Keep the next picture of the segment, unless it is not worth it or there is no room."""
        self._frames += 1
        if self._spool is None or not self._finds_room(picture):
            return
        started = perf_counter()
        try:
            self._spool.add(picture)
        except OSError as error:
            self._give_up(error.strerror or "the disk refuses them")
        self._kept_frames += 1
        self._keeping_seconds += perf_counter() - started

    def begin(self, number: int) -> None:
        """Segment `number` comes next; the one before is complete."""
        if self._spool is not None:
            self._spool.remove()
        worth = self._is_worth()
        self._spool = self._folder.spool(number) if worth and self._is_possible else None
        self._has_room = False
        self._frames, self._started = 0, perf_counter()

    def _is_worth(self) -> bool:
        """Whether the last segment took much longer than keeping its frames takes."""
        if not self._frames or not self._kept_frames:
            return True
        seconds = perf_counter() - self._started
        cost = self._keeping_seconds / self._kept_frames * self._frames
        if cost <= self._worth * seconds:
            return True
        if seconds > _LONG_SECONDS and self._is_possible:
            self._give_up("the disk is too slow")
        return False

    def _finds_room(self, picture: av.VideoFrame) -> bool:
        if not self._has_room:
            needed = 2 * self._segment_frames * picture_bytes(picture)  # the output grows, too
            if shutil.disk_usage(self._folder.path).free < needed:
                self._give_up(f"it needs {needed / 1e6:.0f} MB free on the disk")
                return False
            self._has_room = True
        return True

    def _give_up(self, why: str) -> None:
        if self._spool is not None:
            self._spool.remove()
        self._spool, self._is_possible = None, False
        self._say(
            f"{self._name}: an interruption may cost up to {self._segment_frames} frames, those of "
            f"an unfinished segment cannot be kept ({why})"
        )
