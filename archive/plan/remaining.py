"""Which files of an archive are left to do: a stopped run continues with these."""

from __future__ import annotations

from dataclasses import dataclass

from ..records.ledger import Records
from .job import Archive
from .listing import Item


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
    """Leave out what is done. Where films are split, large files come first."""
    todo = [item for item in items if not is_done(archive, records, item)]
    if archive.split_seconds is not None:
        todo.sort(key=lambda item: -(item.size_bytes or 0))
    todo.sort(key=lambda item: item.source in records.failed)
    return Plan(items, todo)


def is_done(archive: Archive, records: Records, item: Item) -> bool:
    """Whether the file was finished, and has the size that it had then."""
    if item.source not in records.done or records.done[item.source] != item.size_bytes:
        return False
    return not archive.missing or (archive.out / item.target).exists()
