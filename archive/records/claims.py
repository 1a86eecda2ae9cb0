"""Who makes which file now. A claim whose host died expires.

A claim is a lease of `filelock`: a small file with the process and the host, which its holder
touches now and then. The claim of a process that ended on this host is free at once; that of
another host when nothing was heard of it for `LEASE_SECONDS`, by the clock of who waits.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import SoftFileLease, Timeout

from ...common.errors import OutputError
from ...common.files import describe_os_error
from .ledger import FOLDER

LEASE_SECONDS = 60.0
"""The same for all versions and machines, which filelock demands."""


class Claim:
    """The right to make one output. Use it as a context manager after `acquire`."""

    def __init__(self, out: Path, target: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """`target` is the output's path below `out`, which need not be there."""
        digest = hashlib.sha256(target.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._path = out / FOLDER / "claims" / f"{digest}.lock"
        self._lease = SoftFileLease(self._path, lease_duration=lease_seconds, thread_local=False)
        self.was_abandoned = False
        """Whether a process had it that ended without giving it back."""

    def acquire(self) -> bool:
        """Take the claim; False when another process has it.

        To be asked again, of the same object, until that one's time is over. Raises OutputError.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            found = self._path.exists()
            self._lease.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as error:
            raise OutputError(describe_os_error(self._path, error)) from error
        self.was_abandoned = found
        return True

    def exists(self) -> bool:
        """Whether somebody has it, or had it and ended."""
        return self._path.exists()

    @property
    def holder(self) -> str:
        """The host that has it, or "another process"."""
        owner = self._lease.owner
        return owner.hostname if owner else "another process"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lease.release()
