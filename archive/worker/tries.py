"""Tries of one file in the child process, and their rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from msgspec import to_builtins

from ...common.files import remove_abandoned
from ...common.notes import Say
from ..plan.job import Archive
from ..plan.listing import Item
from ..records.ledger import LedgerWriter
from ..records.row import Row, framelift_version, now
from .messages import Answer
from .process import ChildProcess

# The file or the options are wrong: the next try would fail, too.
_NOT_RETRIED = frozenset({"InputError", "ConfigError", "FrameError"})

Ask = Callable[[ChildProcess], Answer]
"""Has the child process do something."""


class Tries:
    """Has things done in a child process, again when it failed, and writes down each try."""

    def __init__(self, archive: Archive, writer: LedgerWriter, say: Say) -> None:
        self._archive = archive
        self._writer = writer
        self._say = say
        self._notes: list[str] = []
        self.child = ChildProcess(archive.settings, self._note)

    def until_done(
        self, item: Item, ask: Ask, *, is_row: bool = True, **fields: int | None
    ) -> tuple[Row, Answer]:
        """Try until it works or there is no more hope, and return the last try.

        Each try becomes a row with these `fields`; without `is_row` only those that failed.
        """
        tries = 1 + self._archive.retries
        while True:
            row, answer = self._once(item, ask, fields)
            tries -= 1
            if answer.kind or is_row:
                self._writer.add(row)
            if not answer.kind or answer.is_fatal or answer.kind in _NOT_RETRIED or not tries:
                return row, answer

    def add(self, item: Item, state: str, **fields: Any) -> Row:  # noqa: ANN401
        """Write a row that is no try."""
        row = self._row(item, state, **fields)
        self._writer.add(row)
        return row

    def _once(self, item: Item, ask: Ask, fields: dict[str, int | None]) -> tuple[Row, Answer]:
        self._notes = []
        started, clock = now(), time.monotonic()
        answer = ask(self.child)
        seconds = time.monotonic() - clock
        if answer.kind == "ProcessLost":
            remove_abandoned(self._archive.out / item.target)
        facts = {} if answer.made is None else to_builtins(answer.made)
        frames = answer.made and answer.made.frames
        row = self._row(
            item,
            "failed" if answer.kind else "done",
            started=started,
            seconds=round(seconds, 3),
            fps=round(frames / seconds, 3) if frames and seconds else None,
            kind=answer.kind or None,
            error=answer.message or None,
            notes=self._notes,
            **facts,
            **fields,
        )
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
