"""A run over the files of an archive on this machine, one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..common.errors import FrameliftError
from ..common.text import counted
from .plan.films import pieces_of
from .plan.job import Outcome
from .plan.listing import Item
from .worker.work import Worker

POLL_SECONDS = 2.0


@dataclass
class Tally:
    """What a run has done so far."""

    done: int = 0
    frames: int = 0
    bytes_done: int = 0
    earlier: int = 0
    there: list[str] = field(default_factory=list)
    failed: dict[str, Outcome] = field(default_factory=dict)
    """The last outcome of each file that failed."""

    @property
    def files(self) -> int:
        """How many files are through."""
        return self.done + self.earlier + len(self.there) + len(self.failed)

    def add(self, item: Item, outcome: Outcome) -> bool:
        """Count a file, or a piece. Whether the file is through with that."""
        before = self.files
        if outcome.state in ("done", "earlier"):
            self.failed.pop(item.source, None)
        if outcome.state == "done":
            self.done += 1
            self.frames += (outcome.row.frames or 0) if outcome.row else 0
        elif outcome.state == "failed":
            self.failed[item.source] = outcome
        elif outcome.state == "there":
            self.there.append(item.target)
        elif outcome.state == "earlier" and item.piece is None:
            self.earlier += 1
        self.bytes_done += _bytes(item, outcome)
        return self.files > before


def _bytes(item: Item, outcome: Outcome) -> int:
    """The part of the source's bytes that is through, for the time left."""
    size = item.size_bytes or 0
    if outcome.state == "split":
        return 0
    if item.piece is None:
        return size
    return size // outcome.pieces if outcome.pieces else 0


def run_here(
    todo: list[Item], worker: Worker, wait: Callable[[str], None]
) -> Iterator[tuple[Item, Outcome]]:
    """Make the files one after the other, and yield what became of each and of each piece.

    Pieces of films come behind the other files, so that other shards find them early; those that
    other shards have left come behind the own ones. Files that other processes make now come last;
    `wait` is called once, with what is waited for.

    Raises:
        FrameliftError: no other file could be made, either: no model, or no space on the disk.
    """
    queue, busy, adopted = deque(todo), deque[Item](), set[Item]()
    announced = False
    while True:
        if not queue and not busy:
            left = [item for item in worker.pieces_of_others() if item not in adopted]
            if not left:
                return
            queue.extend(left)
            adopted.update(left)
        item = queue.popleft() if queue else busy.popleft()
        outcome = worker.do(item)
        if outcome.state == "split":
            queue.extend(pieces_of(item, outcome.pieces))
        elif outcome.state == "busy" and item not in adopted:
            busy.append(item)
            if not queue:
                if not announced:
                    files = counted(len(busy), "file")
                    wait(f"waiting for {files} that {outcome.holder} makes now")
                announced = True
                time.sleep(POLL_SECONDS / len(busy))
            continue
        elif outcome.state == "busy":
            continue
        yield item, outcome
        raise_if_fatal(outcome)


def raise_if_fatal(outcome: Outcome) -> None:
    """Raise FrameliftError for what every other file would fail with, too."""
    if outcome.is_fatal:
        raise FrameliftError(f"{outcome.reason}; the other files were not tried")
