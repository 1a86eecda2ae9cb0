"""Uploads in progress, some in several requests."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Self

from ...common.files import write_atomic
from .errors import RequestError, not_found
from .names import shown_name
from .settings import Limits
from .store import ID
from .threads import in_thread

_BUFFER_BYTES = 1 << 20
_DATA, _DESCRIPTION = "data", "upload.json"


@dataclass
class Upload:
    """One file that is being uploaded."""

    folder: Path
    name: str
    """The client's name of the file, only to be shown."""
    length: int
    """Bytes that it will have."""
    offset: int = 0
    """Bytes that are there."""
    touched: float = field(default_factory=time.time)
    busy: bool = False
    """Whether a request is adding to it, or making a job of it."""

    @property
    def id(self) -> str:
        """The id that clients know it by."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """The bytes so far."""
        return self.folder / _DATA


class Writer:
    """Adds bytes to a file, a mebibyte at a time, without stopping the server."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray()
        self._file: BinaryIO | None = None
        self.written = 0
        """Bytes that are in the file and were not before."""

    async def __aenter__(self) -> Self:
        self._file = await in_thread(self._path.open, "ab")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._flush()
        finally:
            await in_thread(self._close)

    async def write(self, data: bytes) -> None:
        """Add `data`."""
        self._buffer += data
        if len(self._buffer) >= _BUFFER_BYTES:
            await self._flush()

    async def _flush(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        if data:
            assert self._file is not None
            await in_thread(self._file.write, data)
            self.written += len(data)

    def _close(self) -> None:
        assert self._file is not None
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()


class Uploads:
    """All uploads of a server. Use it from the server's event loop only."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._uploads: dict[str, Upload] = {}

    async def start(self) -> None:
        """Take up what was begun before a restart."""
        self._uploads = await in_thread(self._load)

    def _load(self) -> dict[str, Upload]:
        found = {}
        for folder in self._folder.iterdir():
            upload = _read(folder) if ID.fullmatch(folder.name) else None
            if upload is None:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                found[upload.id] = upload
        return found

    async def create(self, name: str, length: int) -> Upload:
        """Begin an upload that goes on in later requests, and after a restart.

        Raises RequestError for a length over the limit, or if there are too many.
        """
        self._check(length)
        folder = self._folder / secrets.token_hex(16)
        upload = Upload(folder, shown_name(name), length)
        await in_thread(_write, upload)
        self._uploads[upload.id] = upload
        return upload

    async def temporary(self, announced: str | None) -> Path:
        """A place for the bytes of a single request, whose length is perhaps `announced`.

        Raises RequestError for a length over the limit. `discard` the place in the end.
        """
        if announced is not None and announced.isdecimal():
            self._check(int(announced[:20]))
        folder = self._folder / secrets.token_hex(16)
        await in_thread(folder.mkdir, 0o700)
        return folder / _DATA

    async def discard(self, path: Path) -> None:
        """Remove the place that `temporary` gave."""
        await in_thread(shutil.rmtree, path.parent, ignore_errors=True)

    def _check(self, length: int) -> None:
        self.require_small(length)
        if len(self._uploads) >= self._limits.queue:
            raise RequestError(
                503,
                f"{self._limits.queue} uploads are unfinished already, this server's limit",
                "BusyError",
                {"Retry-After": "60"},
            )
        # What others have announced has its place, too.
        wanted = length + sum(other.length - other.offset for other in self._uploads.values())
        if wanted > shutil.disk_usage(self._folder).free:
            raise RequestError(507, f"the server has no room for {length} bytes", "OutputError")

    def require_small(self, length: int) -> None:
        """Raise RequestError for more bytes than an upload may have."""
        if length > self._limits.bytes:
            raise RequestError(
                413,
                f"the file has more than {self._limits.bytes} bytes, this server's limit",
                "LimitError",
            )

    def get(self, upload_id: str) -> Upload:
        """The upload of that id. Raises RequestError (404) if there is none."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise not_found("upload")
        return upload

    def claim(self, upload: Upload) -> None:
        """Keep others from it until `release`. Raises RequestError (423) if it is taken."""
        if upload.busy:
            raise RequestError(423, "another request is using this upload", "BusyError")
        upload.busy = True

    def release(self, upload: Upload) -> None:
        """Let others use it again."""
        upload.busy, upload.touched = False, time.time()

    async def remove(self, upload: Upload) -> None:
        """Remove all that there is of it."""
        self._uploads.pop(upload.id, None)
        await in_thread(shutil.rmtree, upload.folder, ignore_errors=True)

    async def sweep(self, older_than: float) -> None:
        """Remove uploads that nothing was added to since that time."""
        for upload in list(self._uploads.values()):
            if not upload.busy and upload.touched < older_than:
                await self.remove(upload)


def _write(upload: Upload) -> None:
    upload.folder.mkdir(mode=0o700)
    upload.path.touch()
    text = json.dumps({"name": upload.name, "length": upload.length})
    write_atomic(upload.folder / _DESCRIPTION, text.encode())


def _read(folder: Path) -> Upload | None:
    """What is there of an upload; None for one that cannot go on."""
    try:
        stored = json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8"))
        name, length = str(stored["name"]), int(stored["length"])
        offset = (folder / _DATA).stat().st_size
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Upload(folder, name, length, offset) if offset <= length else None
