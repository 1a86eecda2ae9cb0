"""Claims: which process works on which file. A claim whose host died expires.

A claim is a lease of `filelock`: a small file with the process and the host, which its holder
touches now and then. The claim of a process that ended on this host is free at once; that of
another host when nothing was heard of it for `LEASE_SECONDS`, by the clock of who waits.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from filelock import SoftFileLease, Timeout

from ...common.closing import Closing
from ...common.errors import OutputError
from ...common.files import describe_os_error
from .ledger import FOLDER

LEASE_SECONDS = 60.0
"""The same for all versions and machines, which filelock demands."""


class Claim(Closing):
    """The right to make one output. Use it as a context manager after `acquire`."""

    def __init__(self, out: Path, target: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """`target` is the output's path below `out`, which need not be there."""
        digest = hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = out / FOLDER / "claims" / f"{digest}.lock"
        self._lease = SoftFileLease(self._path, lease_duration=lease_seconds, thread_local=False)
        self._lease_seconds = lease_seconds
        self._empty_since: tuple[int, float] | None = None
        self.was_abandoned = False
        """Whether a process had it that ended without giving it back."""

    def acquire(self) -> bool:
        """Take the claim; False when another process has it.

        To be asked again, of the same object, until that one's time is over. Raises OutputError.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            found = self._path.exists()
            self._remove_if_cut_off()
            self._lease.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise OutputError(describe_os_error(self._path, error)) from error
        self.was_abandoned = found
        return True

    def _remove_if_cut_off(self) -> None:
        """Remove a claim that stayed empty for as long as silent ones are kept.

        Its machine stopped before it wrote into it, or before that was on the disk. For `filelock`,
        an empty file is locked for ever.
        """
        try:
            facts = self._path.stat()
        except FileNotFoundError:
            return
        if facts.st_size:
            self._empty_since = None
        elif self._empty_since is None or self._empty_since[0] != facts.st_mtime_ns:
            self._empty_since = facts.st_mtime_ns, time.monotonic()
        elif time.monotonic() - self._empty_since[1] >= self._lease_seconds:
            self._path.unlink(missing_ok=True)

    def exists(self) -> bool:
        """Whether somebody has it, or had it and ended."""
        return self._path.exists()

    @property
    def holder(self) -> str:
        """The host that has it, or "another process"."""
        owner = self._lease.owner
        return owner.hostname if owner else "another process"

    def close(self) -> None:
        """Give the output back."""
        self._lease.release()
