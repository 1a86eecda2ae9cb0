"""What became of each file: JSON lines in OUT, one row for each try of each file.

Every process appends to a file of its own, so several of them, on several machines, share a ledger
on a network file system without locks; readers merge the files. A row that was not written to its
end, because the machine stopped there, counts as not written.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from ...common.errors import OutputError
from ...common.files import describe_os_error, write_atomic
from .row import Row, parse_row

FOLDER = ".framelift-archive"
"""In OUT: the ledger, the claims of who makes which file now, and pieces of long films."""
DESCRIPTION = "archive.json"
FORMAT = 1


@dataclass
class Records:
    """The merged rows, as far as deciding what is left needs them."""

    done: dict[str, int | None] = field(default_factory=dict)
    """Path and size in bytes of every source that was finished."""
    failed: dict[str, Row] = field(default_factory=dict)
    """The last row of every file that failed and was not finished afterwards. One that is in `done`
    as well was replaced by another source since."""
    tries: dict[str, int] = field(default_factory=dict)
    """How often a file failed."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Sources whose target has another name, and that target."""
    pieces_done: dict[str, set[tuple[int, int | None]]] = field(default_factory=dict)
    """Number, and size of the source in bytes, of each piece of films that are not finished."""
    skipped: set[str] = field(default_factory=set)
    """Files whose output was there already, made by something else."""
    made_otherwise: set[str] = field(default_factory=set)
    """Files that this archive finished before with other options, which `--overwrite` replaced."""
    unreadable: int = 0
    """Rows that are no JSON of this form."""

    def unreadable_line(self) -> str:
        """The line for the user about them; "" if there are none."""
        if not self.unreadable:
            return ""
        return f"{self.unreadable} rows of the ledger are damaged and do not count"

    def add(self, row: Row) -> None:
        """Take one more row in, later than those before."""
        if row.target != row.source:
            self.renamed[row.source] = row.target
        if row.state == "skipped":
            self.skipped.add(row.source)
        elif row.state == "failed":
            self.tries[row.source] = self.tries.get(row.source, 0) + 1
            if self.done.get(row.source, -1) != row.source_bytes:
                self.failed[row.source] = row
        elif row.state == "done" and row.piece is not None:
            piece = row.piece, row.source_bytes
            self.pieces_done.setdefault(row.source, set()).add(piece)
        elif row.state == "done":
            self.done[row.source] = row.source_bytes
            self.skipped.discard(row.source)
            self.failed.pop(row.source, None)
            self.tries.pop(row.source, None)
            self.pieces_done.pop(row.source, None)


class Ledger:
    """The ledger of the archive in `out`. Not for several threads."""

    def __init__(self, out: Path, settings: str) -> None:
        """`settings` is the digest of the options: rows of others do not count."""
        self.out = out
        self.settings = settings
        self.records = Records()
        self._read_to: dict[Path, int] = {}

    @property
    def rows_folder(self) -> Path:
        """Where the files of rows lie."""
        return self.out / FOLDER / "ledger"

    def refresh(self) -> Records:
        """Read what was added since the last time. Raises OutputError."""
        for row in self.new_rows():
            if row is None:
                self.records.unreadable += 1
            elif row.settings == self.settings:
                self.records.add(row)
            elif row.state == "done" and row.piece is None:
                self.records.made_otherwise.add(row.source)
        return self.records

    def new_rows(self) -> Iterator[Row | None]:
        """The rows since the last time, each file's in its order; `None` for what is no row."""
        try:
            paths = sorted(self.rows_folder.glob("*.jsonl"))
            for path in paths:
                yield from self._rows_of(path)
        except OSError as error:
            raise OutputError(f"{self.rows_folder}: cannot be read ({error.strerror})") from error

    def _rows_of(self, path: Path) -> Iterator[Row | None]:
        start = self._read_to.get(path, 0)
        if path.stat().st_size <= start:
            return
        with path.open("rb") as stream:
            stream.seek(start)
            for line in stream:
                if not line.endswith(b"\n"):  # being written, or cut off when its machine stopped
                    return
                self._read_to[path] = start = start + len(line)
                yield parse_row(line)


class LedgerWriter:
    """Appends rows to a file of this process alone."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        """`name` begins the file's name, as "shard-0-of-3". Nothing is written before a row is."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        host = socket.gethostname()[:60].replace("/", "_")
        self.path = ledger.rows_folder / f"{stamp}.{name}.{host}.{secrets.token_hex(4)}.jsonl"
        self._ledger = ledger

    def add(self, row: Row) -> None:
        """Append a row and wait until it is on the disk. Raises OutputError."""
        line = json.dumps(row.as_json()).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise OutputError(describe_os_error(self.path, error)) from error


@dataclass(frozen=True)
class Description:
    """What the archive in a folder is made of: `archive.json` beside its ledger."""

    source: str
    """IN as an absolute path, with its pattern."""
    files: int
    """How many files the last listing found, all shards together."""
    outcome: dict[str, object]
    """The options that decide what the outputs look like."""

    def write(self, out: Path) -> None:
        """Write it, if it is not there already. Raises OutputError."""
        path = out / FOLDER / DESCRIPTION
        content = json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.read_bytes() == content:
                return
        except OSError as error:
            raise OutputError(describe_os_error(path, error)) from error
        write_atomic(path, content)

    @classmethod
    def read(cls, out: Path) -> Self | None:
        """What describes the archive in `out`; `None` where there is none.

        Raises OutputError: it cannot be read, or is of a later version of framelift.
        """
        path = out / FOLDER / DESCRIPTION
        damaged = f"{path}: is damaged; remove it to have it written again"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{path}: cannot be read ({error.strerror})") from error
        except (ValueError, RecursionError) as error:
            raise OutputError(damaged) from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise OutputError(f"{path}: was written by another version of framelift")
        source, files, outcome = (document.get(name) for name in ("source", "files", "outcome"))
        if isinstance(source, str) and isinstance(files, int) and isinstance(outcome, dict):
            return cls(source, files, outcome)
        raise OutputError(damaged)
