"""Jobs of one kind, first come, first served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from .job import Job


@dataclass
class Entry:
    """A job while the server runs."""

    job: Job
    folder: Path
    lasting: bool
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, at every change."""
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    """What works on it."""
    cancelled: bool = False
    goes_on: bool = False
    """Whether it had begun before the server was restarted."""
    known_frames: int | None = None
    """Frames of the whole clip, of which a job that goes on has fewer to do."""

    def notify(self) -> None:
        """Wake those who watch."""
        changed, self.changed = self.changed, asyncio.Event()
        changed.set()


class Lane:
    """Jobs of one kind, first come, first served."""

    def __init__(self) -> None:
        self.waiting: list[Entry] = []
        self._more = asyncio.Semaphore(0)

    def add(self, entry: Entry) -> None:
        self.waiting.append(entry)
        self._more.release()

    async def next(self) -> Entry:
        while True:
            await self._more.acquire()
            if self.waiting:  # what was there may have been cancelled
                return self.waiting.pop(0)
