"""How far an archive is, from its ledger and the claims of who works on it."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import SoftFileLease

from ..common.errors import InputError
from .plan.settings import digest
from .records.claims import LEASE_SECONDS
from .records.ledger import FOLDER, Description, Ledger, Records
from .records.row import Row

_WINDOW_SECONDS = 3600.0


@dataclass(frozen=True)
class Status:
    """What `framelift archive status` shows."""

    out: Path
    files: int
    records: Records
    rate: Rate
    workers: dict[str, int]
    """How many files are being made now on each host."""

    @property
    def done(self) -> int:
        """Files that were finished and have not changed since to what failed."""
        return len(self.records.done.keys() - self.records.failed.keys())

    @property
    def left(self) -> int:
        """Files that were neither finished nor failed nor skipped."""
        known = self.done + len(self.records.failed) + len(self.records.skipped)
        return max(0, self.files - known)

    @property
    def seconds_left(self) -> float | None:
        """At the rate of the last hour; `None` when nothing was finished."""
        per_hour = self.rate.files_per_hour
        return 3600 * self.left / per_hour if per_hour else None

    def as_json(self) -> dict[str, object]:
        """Plain values."""
        records = self.records
        return {
            "schema": 1,
            "out": str(self.out),
            "files": self.files,
            "done": self.done,
            "left": self.left,
            "skipped": len(records.skipped),
            "failed": [
                {
                    "source": row.source,
                    "tries": records.tries.get(row.source, 1),
                    "host": row.host,
                    "kind": row.kind,
                    "error": row.error,
                }
                for row in records.failed.values()
            ],
            "files_per_hour": self.rate.files_per_hour,
            "frames_per_second": self.rate.frames_per_second,
            "seconds_left": self.seconds_left,
            "being_made": self.workers,
            "unreadable_rows": records.unreadable,
        }


@dataclass(frozen=True)
class Rate:
    """What all machines together finished within the hour before the newest row."""

    files_per_hour: float | None = None
    frames_per_second: float | None = None


def read_status(out: Path) -> Status:
    """Read the state of the archive in `out`.

    Raises:
        InputError: there is no archive in it.
        OutputError: its ledger cannot be read.
    """
    description = Description.read(out)
    if description is None:
        raise InputError(f"{out}: no archive was made here (there is no {FOLDER} in it)")
    ledger = Ledger(out, digest(description.outcome))
    records, finished = Records(), []
    for row in ledger.new_rows():
        if row is None:
            records.unreadable += 1
        elif row.settings == ledger.settings:
            records.add(row)
            if row.state == "done" and row.ended:
                finished.append(_times(row))
    # The last run may have been for fewer files than those before it.
    known = len({*records.done, *records.failed, *records.skipped})
    return Status(out, max(description.files, known), records, _rate(finished), _workers(out))


_Finished = tuple[float, float, int, bool]


def _times(row: Row) -> _Finished:
    ended = datetime.fromisoformat(row.ended).timestamp()
    joined = row.pieces is not None and row.piece is None  # its frames were those of its pieces
    frames = 0 if joined else row.frames or 0
    return ended - (row.seconds or 0), ended, frames, row.piece is None


def _rate(finished: list[_Finished]) -> Rate:
    if not finished:
        return Rate()
    newest = max(ended for _, ended, _, _ in finished)
    recent = [one for one in finished if one[1] > newest - _WINDOW_SECONDS]
    seconds = newest - max(newest - _WINDOW_SECONDS, min(began for began, _, _, _ in recent))
    if seconds <= 0:
        return Rate()
    frames = sum(count for _, _, count, _ in recent)
    files = sum(1 for _, _, _, whole in recent if whole)
    return Rate(round(3600 * files / seconds, 2), round(frames / seconds, 2))


def _workers(out: Path) -> dict[str, int]:
    hosts: Counter[str] = Counter()
    for path in (out / FOLDER / "claims").glob("*.lock"):
        try:
            alive = time.time() - path.stat().st_mtime < 2 * LEASE_SECONDS
            owner = SoftFileLease(path, lease_duration=LEASE_SECONDS).owner
        except OSError:  # it was given back meanwhile
            continue
        if alive and owner is not None:
            hosts[owner.hostname.partition("?")[0]] += 1
    return dict(hosts)
