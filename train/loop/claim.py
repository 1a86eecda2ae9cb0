"""A run folder that belongs to one training at a time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ...common.errors import OutputError

LOCK = ".lock"


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """During the block, other processes cannot claim `folder`. It is made if it is not there, and
    removed again if nothing was written into it.

    Raises OutputError if another training has it, or if it cannot be made or locked. The system
    frees the lock of a process that was killed.
    """
    made = [path for path in (folder, *folder.absolute().parents) if not path.exists()]
    lock = FileLock(folder / LOCK)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise OutputError(
            f"run folder {folder}: another training is running in it; wait for its end, stop "
            "it, or use another --out folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "its file system has no locks"
        raise OutputError(f"run folder {folder}: cannot be locked ({reason})") from error
    try:
        yield
    finally:
        lock.release()
        with contextlib.suppress(OSError):
            if made and [path.name for path in folder.iterdir()] in ([], [LOCK]):
                (folder / LOCK).unlink(missing_ok=True)
                for path in made:
                    path.rmdir()
