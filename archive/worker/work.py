"""What a worker does for one file: claim it, try it, write down what became of it."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

from ...common.closing import Closing
from ...common.files import remove_abandoned
from ...common.notes import Say
from ..plan.films import Film, films_of
from ..plan.job import Archive, Outcome
from ..plan.listing import Item
from ..plan.remaining import is_done
from ..records.claims import Claim
from ..records.ledger import DESCRIPTION, FOLDER, Ledger, LedgerWriter
from ..records.row import Row
from .messages import Answer
from .tries import Tries


class Worker(Closing):
    """Makes one file after the other in a child process. Use it as a context manager."""

    def __init__(self, archive: Archive, say: Say) -> None:
        self._archive = archive
        self._ledger = Ledger(archive.out, archive.digest)
        self._tries = Tries(archive, LedgerWriter(self._ledger, archive.name), say)
        self._waiting: dict[str, Claim] = {}

    def close(self) -> None:
        """Stop the child process."""
        self._tries.child.close()

    @property
    def child_pid(self) -> int | None:
        """The process in which files are made, if one runs."""
        return self._tries.child.pid

    def load(self, item: Item) -> Answer:
        """Load a model before the first file needs it, and note what runs where."""
        return self._tries.child.load(self._archive.root / item.source)

    def do(self, item: Item) -> Outcome:
        """Make one file, or one piece, unless it is there.

        Raises OutputError: the ledger cannot be written.
        """
        if fault := self._fault():
            return Outcome("failed", error=fault, is_fatal=True)
        claim = self._waiting.pop(item.key, None) or Claim(self._archive.out, item.key)
        if not claim.acquire():
            self._waiting[item.key] = claim  # it measures the time that it saw nothing change
            return Outcome("busy", holder=claim.holder)
        with ExitStack() as stack:
            stack.push(claim)
            try:
                return self._claimed(item, abandoned=claim.was_abandoned)
            except BaseException:
                self.close()  # before the claim is given back
                remove_abandoned(self._target(item))
                raise

    def pieces_of_others(self) -> list[Item]:
        """Pieces that are left of films which belong to other shards."""
        records = self._ledger.refresh()
        return [
            item
            for film in films_of(self._archive)
            for item in film.items()
            if not is_done(self._archive, records, item) and not film.has(item, records)
        ]

    def _fault(self) -> str:
        """What keeps this machine from working on the archive."""
        archive = self._archive
        if not archive.root.is_dir():
            return f"{archive.root}: is not there on {socket.gethostname()}"
        if not (archive.out / FOLDER / DESCRIPTION).exists():
            return (
                f"{archive.out}: is not the same folder on {socket.gethostname()}; OUT must lie on "
                "a file system that all machines share"
            )
        return ""

    def _claimed(self, item: Item, *, abandoned: bool) -> Outcome:
        # What others wrote is read only where it matters: in a large archive that is much.
        there = self._target(item).exists()
        if (there or item.piece is not None) and self._is_done(item):
            return Outcome("earlier")
        if item.piece is not None:
            return self._piece(item, abandoned=abandoned)
        replace = self._may_replace(item)
        if there and not replace:
            if abandoned:
                return Outcome("done", self._completed(item))
            if item.source not in self._ledger.records.skipped:
                self._tries.add(item, "skipped")
            return Outcome("there")
        if abandoned:
            self._vanished(item)
        return self._split(item) or self._whole(item, replace=replace)

    def _whole(self, item: Item, *, replace: bool) -> Outcome:
        source, target = self._archive.root / item.source, self._target(item)
        row, answer = self._tries.until_done(
            item, lambda child: child.make(source, target, replace=replace)
        )
        if answer.kind == "OutputError" and not replace and target.exists():
            # The process that had the claim before was slow to end, and has completed it.
            return Outcome("done", self._completed(item))
        return Outcome("failed" if answer.kind else "done", row, answer.is_fatal)

    def _split(self, item: Item) -> Outcome | None:
        """Plan the pieces of a long film; `None` for all else."""
        film = Film(self._archive, item)
        if item.is_image or film.is_planned():
            return None if item.is_image else Outcome("split", pieces=len(film.pieces))
        seconds = self._archive.split_seconds
        if seconds is None:
            return None
        row, answer = self._tries.until_done(
            item, lambda child: child.plan(film.source, seconds), is_row=False
        )
        if answer.kind:
            return Outcome("failed", row, answer.is_fatal)
        if answer.planned is None or not answer.planned.pieces:
            return None
        film.write(answer.planned.pieces, answer.planned.made_with)
        return Outcome("split", pieces=len(film.pieces))

    def _piece(self, item: Item, *, abandoned: bool) -> Outcome:
        """Make a piece; whoever makes the last one joins them."""
        film = Film(self._archive, item)
        if not film.is_planned():
            return Outcome("failed", error=f"{item.source}: its pieces were removed during the run")
        count, row = len(film.pieces), None
        if not film.has(item, self._ledger.records):
            if abandoned:
                self._vanished(item, count)
            row, answer = self._tries.until_done(
                item, lambda child: child.piece(film, item), piece=item.piece, pieces=count
            )
            if answer.kind:
                return Outcome("failed", row, answer.is_fatal)
        records = self._ledger.refresh()
        if all(film.has(piece, records) for piece in film.items()):
            joined = self._join(film)
            if joined is not None:
                return joined
        return Outcome("piece", row, pieces=count)

    def _join(self, film: Film) -> Outcome | None:
        """Make the film of its pieces; `None` if another process does."""
        item = film.whole
        with Claim(self._archive.out, item.key) as claim:
            if not claim.acquire():
                return None
            if self._is_done(item):
                return Outcome("earlier", pieces=len(film.pieces))
            replace, there = self._may_replace(item), self._target(item).exists()
            if there and not replace:
                row = self._completed(item)
            else:
                row, answer = self._tries.until_done(
                    item,
                    lambda child: child.join(film, replace=replace),
                    pieces=len(film.pieces),
                )
                if answer.kind:
                    return Outcome("failed", row, answer.is_fatal)
            film.remove()
            return Outcome("done", row, pieces=len(film.pieces))

    def _is_done(self, item: Item) -> bool:
        """Whether the ledger says so, also what others added to it meanwhile."""
        return is_done(self._archive, self._ledger.refresh(), item)

    def _may_replace(self, item: Item) -> bool:
        """Whether what lies at the target may be replaced.

        By request, or because this archive made it: its source changed since, or the options, which
        `--overwrite` allowed for the whole archive.
        """
        records = self._ledger.records
        ours = item.source in records.done or item.source in records.made_otherwise
        return self._archive.settings.overwrite or ours

    def _completed(self, item: Item) -> Row:
        """The row of a process that completed this file and ended before it could write one."""
        note = "its process ended before it could write this row"
        return self._tries.add(item, "done", notes=[note])

    def _vanished(self, item: Item, pieces: int | None = None) -> None:
        """The row of a process that had this file and ended without completing it."""
        error = f"{item.source}: the process that made it was killed, or its machine stopped"
        kind = "ProcessLost"
        self._tries.add(item, "failed", kind=kind, error=error, piece=item.piece, pieces=pieces)

    def _target(self, item: Item) -> Path:
        return self._archive.out / item.target
