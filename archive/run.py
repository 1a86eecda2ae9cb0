"""A run over the files of an archive on this machine, one after the other."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..common.errors import FrameliftError
from .ledger import Records, Row
from .listing import Item
from .work import Archive, Outcome, Worker, is_done

POLL_SECONDS = 2.0


@dataclass
class Plan:
    """What a run has to do."""

    items: list[Item]
    """The files of this shard."""
    todo: list[Item]
    """Of them those that are left; what failed before comes last."""

    @property
    def done_before(self) -> int:
        """How many files were finished by earlier runs."""
        return len(self.items) - len(self.todo)


def plan_run(items: list[Item], archive: Archive, records: Records) -> Plan:
    """Leave out what is done."""
    todo = [item for item in items if not is_done(archive, records, item)]
    todo.sort(key=lambda item: item.source in records.failed)
    return Plan(items, todo)


@dataclass
class Tally:
    """What a run has done so far."""

    done: int = 0
    frames: int = 0
    bytes_done: int = 0
    earlier: int = 0
    there: list[str] = field(default_factory=list)
    failed: list[Row] = field(default_factory=list)

    def add(self, item: Item, outcome: Outcome) -> None:
        """Count a file."""
        self.bytes_done += item.size_bytes or 0
        if outcome.state == "done":
            self.done += 1
            self.frames += (outcome.row.frames or 0) if outcome.row else 0
        elif outcome.state == "failed" and outcome.row is not None:
            self.failed.append(outcome.row)
        elif outcome.state == "there":
            self.there.append(item.target)
        elif outcome.state == "earlier":
            self.earlier += 1


def run_here(
    todo: list[Item], worker: Worker, wait: Callable[[str], None]
) -> Iterator[tuple[Item, Outcome]]:
    """Make the files one after the other, and yield what became of each.

    Files that other processes make now come last; `wait` is told once what is waited for.

    Raises:
        FrameliftError: no other file could be made, either: no model, or no space on the disk.
    """
    queue, busy = deque(todo), deque[Item]()
    told = False
    while queue or busy:
        item = queue.popleft() if queue else busy.popleft()
        outcome = worker.do(item)
        if outcome.state == "busy":
            busy.append(item)
            if not queue:
                if not told:
                    files = "1 file" if len(busy) == 1 else f"{len(busy)} files"
                    wait(f"waiting for {files} that {outcome.holder} makes now")
                told = True
                time.sleep(POLL_SECONDS / len(busy))
            continue
        yield item, outcome
        raise_if_fatal(outcome)


def raise_if_fatal(outcome: Outcome) -> None:
    """Raise FrameliftError for what every other file would fail with, too."""
    if outcome.is_fatal:
        raise FrameliftError(f"{outcome.reason}; the other files were not tried")
