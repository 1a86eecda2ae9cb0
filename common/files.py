"""Output files that are either complete or not there."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError

NOTHING_LEFT = "nothing was left behind"
FINISHED_PART_KEPT = "the finished part is kept; run the same command again to continue"

# File systems take names of 255 bytes, and a target's may be that long; this leaves room for what
# is added to it.
NAME_BYTES = 200


@contextmanager
def atomic_output(
    target: Path, *, overwrite: bool = False, source: Path | None = None
) -> Iterator[Path]:
    """Yield a temporary path beside `target`; rename it to `target` when the block succeeds.

    The temporary file has the target's suffix, so that writers that go by the suffix work. It is
    flushed to the disk before the rename. On any exception, `KeyboardInterrupt` included, it is
    removed and whatever was at `target` stays as it was. What a run left that was killed is removed
    by the next one for the same target.

    An existing target is refused unless `overwrite`; `source`, when given, is the input, which is
    never overwritten.

    Raises:
        OutputError: the target cannot be written, exists, or is the source itself. An `OSError`
            raised inside the block (a full disk, for instance) is turned into one as well.
    """
    check_target(target, overwrite=overwrite, source=source)
    target = _behind_links(target)
    remove_abandoned(target)
    temporary = target.with_name(
        f".{_short_stem(target)}.{secrets.token_hex(4)}.part{target.suffix}"
    )
    lock = None
    try:
        try:
            lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            _try_lock(lock)
            yield temporary
            _sync(temporary)
            if target.exists() and not overwrite:
                raise OutputError(
                    f"{target}: appeared while it was being made; nothing overwritten"
                )
            _keep_mode(temporary, target)
            os.replace(temporary, target)
        finally:
            if lock is not None:
                os.close(lock)
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(describe_os_error(target, error)) from error
    with contextlib.suppress(OSError):  # not every file system lets a folder be synced
        _sync(target.parent)


def _behind_links(target: Path) -> Path:
    """What a link leads to, which is replaced instead of it."""
    try:
        return target.resolve() if target.is_symlink() else target
    except (OSError, RuntimeError):  # it leads to itself
        return target


def _keep_mode(temporary: Path, target: Path) -> None:
    """Give the new file the permissions of the one that it replaces."""
    with contextlib.suppress(OSError):
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))


def write_atomic(target: Path, data: bytes) -> None:
    """Write `data` to `target`, replacing what is there. Raises OutputError if it cannot be."""
    with atomic_output(target, overwrite=True) as temporary:
        temporary.write_bytes(data)


def write_durably(path: Path, data: bytes) -> None:
    """Write `data` to `path`, where it is then complete and on the disk, or not there.

    For files of ours: nothing is checked before. Raises OSError.
    """
    temporary = path.with_name(f"{path.name}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def remove_abandoned(target: Path) -> None:
    """Remove the temporary files of runs that were killed: nobody holds their locks."""
    stem, suffix = glob.escape(_short_stem(target)), glob.escape(target.suffix)
    pattern = f".{stem}.????????.part{suffix}"
    for path in target.parent.glob(pattern):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, os.O_RDWR)
            try:
                if _try_lock(descriptor):
                    path.unlink()
            finally:
                os.close(descriptor)


def shortened(name: str, limit_bytes: int = NAME_BYTES) -> str:
    """The beginning of `name` that takes at most `limit_bytes`, in whole characters."""
    while len(os.fsencode(name)) > limit_bytes:
        name = name[:-1]
    return name


def _short_stem(target: Path) -> str:
    return shortened(target.stem, max(0, NAME_BYTES - len(os.fsencode(target.suffix))))


def _try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False when another process has."""
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def check_target(target: Path, *, overwrite: bool = False, source: Path | None = None) -> None:
    """Raise `OutputError` when `target` could not be written, before any work is done for it."""
    folder = target.parent
    try:
        is_folder, exists = target.is_dir(), is_there(target)
    except OSError as error:  # a name that is too long, for instance
        raise OutputError(describe_os_error(target, error)) from error
    if is_folder:
        raise OutputError(f"{target}: is a folder; name a file in it")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{target}: {folder} is a file; name a folder")
    if not folder.is_dir():
        raise OutputError(f"{target}: the folder {folder} does not exist; create it first")
    if source is not None and source.exists() and exists and target.samefile(source):
        raise OutputError(f"{target}: is the input itself; name another file")
    if exists and not target.is_file():
        raise OutputError(f"{target}: is not a file but a pipe or a device; name a file")
    if exists and not overwrite:
        raise OutputError(f"{target}: already exists; pass --overwrite to replace it")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{target}: the folder {folder} is not writable")


def is_there(path: Path) -> bool:
    """`Path.exists` of Python 3.13, which raises OSError where the system cannot say."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise
    return True


def check_model_target(target: Path, *, overwrite: bool, source: Path) -> None:
    """`check_target` for a model. Raises OutputError also for a name of another suffix."""
    if target.suffix != ".onnx":
        raise OutputError(f"{target}: the name of a model must end in .onnx")
    check_target(target, overwrite=overwrite, source=source)


def describe_os_error(target: Path, error: OSError) -> str:
    """One line for the user about a failed write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{target}: the disk is full; {NOTHING_LEFT}"
    if error.errno == errno.EFBIG:
        return f"{target}: the file became larger than this system allows; {NOTHING_LEFT}"
    reason = error.strerror or str(error) or type(error).__name__
    return f"{target}: cannot be written ({reason})"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
