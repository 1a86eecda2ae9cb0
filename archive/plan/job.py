"""The job of a worker (`Archive`) and its result (`Outcome`); both are sent to other machines."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...runtime.files.settings import FileSettings
from ..records.row import Row

RETRIES = 2
"""How often a file is tried again in one run."""


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
    split_seconds: float | None = None
    """Videos that are longer are upscaled in pieces of about this length at most."""
    name: str = "all"
    """Which part of the archive this is, for names of files of the ledger."""


@dataclass(frozen=True)
class Outcome:
    """What became of a file in this run."""

    state: str
    """"done", "failed", "there" (an output that the ledger does not know was left as it is),
    "earlier" (another process made it meanwhile), "busy" (another one makes it now), "split" (it is
    to be made in pieces) or "piece" (a piece is done, and the film is not)."""
    row: Row | None = None
    """The last try."""
    is_fatal: bool = False
    """Whether all other files would fail the same way."""
    holder: str = ""
    """Who makes a busy one."""
    error: str = ""
    """What is wrong besides the file."""
    pieces: int = 0
    """How many pieces there are."""

    @property
    def reason(self) -> str:
        """Why it failed, in one line."""
        return self.error or (self.row.error if self.row and self.row.error else "")
