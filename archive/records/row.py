"""A row of the ledger: one try of one file, or of one piece of it."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

# Beyond these a number is damage.
Count = Annotated[int, Meta(ge=0, le=1 << 62)]
Measure = Annotated[float, Meta(ge=0, le=1e300)]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One try of one file, or of one piece of it. Fields that do not apply are `None`."""

    source: str
    """Path below IN."""
    target: str
    """Path below OUT."""
    state: str
    """"done", "failed", or "skipped" where an output lay that the ledger does not know."""
    settings: str
    """The digest of the options that decide what the output looks like."""
    source_bytes: Count | None = None
    started: str = ""
    """When the try began and ended, UTC, as 2026-11-29T18:00:00.000Z."""
    ended: str = ""
    seconds: Measure | None = None
    frames: Count | None = None
    fps: Measure | None = None
    """Frames per second of the whole try."""
    width: Count | None = None
    height: Count | None = None
    host: str = field(default_factory=socket.gethostname)
    framelift: str = ""
    model: str | None = None
    model_sha256: str | None = None
    backend: str | None = None
    piece: Count | None = None
    """Which piece of a long film, counted from 0; `None`: the whole file."""
    pieces: Count | None = None
    kind: str | None = None
    """The class of the error."""
    error: str | None = None
    """One line."""
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """The fields that apply."""
        return {
            key: value for key, value in asdict(self).items() if value is not None and value != []
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        """A row as `as_json` gave it; fields of later versions are left out.

        Raises ValueError or OverflowError for what no row can hold.
        """
        row = msgspec.convert(document, cls)
        if not (_is_inside(row.source) and _is_inside(row.target)):
            raise ValueError("a path leads out of the archive")
        if row.ended:
            datetime.fromisoformat(row.ended).timestamp()  # not every date has one
        return row


def now() -> str:
    """The time as rows have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def framelift_version() -> str:
    """The installed version, or "unknown"."""
    try:
        return version("framelift")
    except PackageNotFoundError:
        return "unknown"


def parse_row(line: bytes) -> Row | None:
    """The row in a line of a ledger; `None` for a damaged one."""
    try:
        return Row.from_json(json.loads(line))
    except (ValueError, OverflowError, RecursionError):
        return None


def _is_inside(path: str) -> bool:
    """Whether it is a path below a folder, as they are made from listings."""
    return path != "" and path[0] != "/" and ".." not in path.split("/") and "\0" not in path
