"""What a worker does for one file: claim it, try it, write down what became of it."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..common.files import remove_abandoned
from ..common.notes import Say
from .claims import Claim
from .ledger import (
    DESCRIPTION,
    FOLDER,
    Ledger,
    LedgerWriter,
    Records,
    Row,
    framelift_version,
    now,
)
from .listing import Item
from .messages import Answer
from .process import ChildProcess
from .settings import FileSettings

RETRIES = 2
"""How often a file is tried again in one run."""

# The file itself, or what was asked for, is at fault: the next try would end the same way.
_NOT_RETRIED = frozenset({"InputError", "ConfigError", "FrameError"})


@dataclass(frozen=True)
class Archive:
    """Where files come from and go to, and how they are made. Travels to other machines."""

    root: Path
    out: Path
    settings: FileSettings
    digest: str
    retries: int = RETRIES
    missing: bool = False
    """Whether to make finished files again whose output is gone."""
    name: str = "all"
    """Which part of the archive this is, for names of files of the ledger."""

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "root": str(self.root), "out": str(self.out)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        changed = {
            "root": Path(document["root"]),
            "out": Path(document["out"]),
            "settings": FileSettings.from_json(document["settings"]),
        }
        return cls(**{**document, **changed})


@dataclass(frozen=True)
class Outcome:
    """What became of a file in this run."""

    state: str
    """"done", "failed", "there" (an output that the ledger does not know was left as it is),
    "earlier" (another process made it meanwhile) or "busy" (another one makes it now)."""
    row: Row | None = None
    """The last try."""
    is_fatal: bool = False
    """Whether all other files would fail the same way."""
    holder: str = ""
    """Who makes a busy one."""
    error: str = ""
    """What is wrong besides the file."""

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        return self.error or (self.row.error if self.row and self.row.error else "")

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "row": self.row.as_json() if self.row else None}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        row = document["row"]
        return cls(**{**document, "row": Row.from_json(row) if row else None})


class Worker:
    """Makes one file after the other in a child process. Use it as a context manager."""

    def __init__(self, archive: Archive, say: Say) -> None:
        self._archive = archive
        self._ledger = Ledger(archive.out, archive.digest)
        self._writer = LedgerWriter(self._ledger, archive.name)
        self._say = say
        self._notes: list[str] = []
        self._child = ChildProcess(archive.settings, self._note)
        self._waiting: dict[str, Claim] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the child process."""
        self._child.close()

    @property
    def child_pid(self) -> int | None:
        """The process in which files are made, if one runs."""
        return self._child.pid

    def load(self, *, images: bool) -> Answer:
        """Load a model before the first file needs it, and tell what runs where."""
        return self._child.load(images=images)

    def do(self, item: Item) -> Outcome:
        """Make one file, unless it is there. Raises OutputError: the ledger cannot be written."""
        if fault := self._fault():
            return Outcome("failed", error=fault, is_fatal=True)
        claim = self._waiting.pop(item.target, None) or Claim(self._archive.out, item.target)
        if not claim.acquire():
            self._waiting[item.target] = claim  # it measures the time that it saw nothing change
            return Outcome("busy", holder=claim.holder)
        with ExitStack() as stack:
            stack.push(claim)
            try:
                return self._claimed(item, abandoned=claim.was_abandoned)
            except BaseException:
                self._child.close()  # before the claim is given back
                remove_abandoned(self._archive.out / item.target)
                raise

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
        if self._is_done(item):
            return Outcome("earlier")
        replace = self._may_replace(item)
        if abandoned:
            row = self._of_vanished(item, replace=replace)
            if row.state == "done":
                return Outcome("done", row)
        elif not replace and (self._archive.out / item.target).exists():
            if item.source not in self._ledger.records.skipped:
                self._writer.add(self._row(item, "skipped"))
            return Outcome("there")
        tries = 1 + self._archive.retries
        while True:
            row, answer = self._try(item, replace=replace)
            tries -= 1
            if not answer.kind:
                return Outcome("done", row)
            if answer.is_fatal or not tries or answer.kind in _NOT_RETRIED:
                return Outcome("failed", row, answer.is_fatal)

    def _is_done(self, item: Item) -> bool:
        """Whether the ledger says so, also what others added to it meanwhile."""
        return is_done(self._archive, self._ledger.refresh(), item)

    def _may_replace(self, item: Item) -> bool:
        """Whether what lies at the target may be replaced: by request, or as its source changed."""
        return self._archive.settings.overwrite or item.source in self._ledger.records.done

    def _of_vanished(self, item: Item, *, replace: bool) -> Row:
        """The row of the process that had this file and ended without writing one.

        It ended after its output was complete, or before; what it may have replaced is not known.
        """
        if not replace and (self._archive.out / item.target).exists():
            row = self._row(
                item, "done", notes=["its process ended before it could write this row"]
            )
        else:
            error = f"{item.source}: the process that made it was killed, or its machine stopped"
            row = self._row(item, "failed", kind="ProcessLost", error=error)
        self._writer.add(row)
        return row

    def _try(self, item: Item, *, replace: bool) -> tuple[Row, Answer]:
        self._notes = []
        archive = self._archive
        started, clock = now(), time.monotonic()
        answer = self._child.make(
            archive.root / item.source, archive.out / item.target, replace=replace
        )
        seconds = time.monotonic() - clock
        if answer.kind == "ProcessLost":
            remove_abandoned(archive.out / item.target)
        frames = answer.facts.get("frames")
        row = self._row(
            item,
            "failed" if answer.kind else "done",
            started=started,
            seconds=round(seconds, 3),
            fps=round(frames / seconds, 3) if frames and seconds else None,
            kind=answer.kind or None,
            error=answer.message or None,
            notes=self._notes,
            **answer.facts,
        )
        self._writer.add(row)
        return row, answer

    def _row(self, item: Item, state: str, **fields: Any) -> Row:  # noqa: ANN401
        return Row(
            source=item.source,
            target=item.target,
            state=state,
            settings=self._archive.digest,
            source_bytes=item.size_bytes,
            ended=now(),
            framelift=framelift_version(),
            **fields,
        )

    def _note(self, line: str) -> None:
        self._notes.append(line)
        self._say(line)


def is_done(archive: Archive, records: Records, item: Item) -> bool:
    """Whether the file was finished, and has the size that it had then."""
    if item.source not in records.done or records.done[item.source] != item.size_bytes:
        return False
    return not archive.missing or (archive.out / item.target).exists()
