"""Caches what an earlier run made of a model's file, so that a command need not import ONNX.

Importing ONNX and reading, checking and rewriting a small model takes a fifth of the time of a
small picture. What comes of it depends on nothing but the bytes of the file, the code of Framelift
and of ONNX, and the processor, all of which are part of the name that it is kept by. What is
damaged, or cannot be read or written, is made anew.

It is on only inside `remembering`, which commands use. Programs load models once and run for long.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

Facts = dict[str, Any]
"""What JSON can hold."""

CODE = Path(__file__).parent, Path(__file__).parents[1] / "backends" / "cpu"
"""Folders of the modules that have a part in what is made."""
_MOST_BYTES = 8 << 20  # of a file: a larger model takes longer to run than to read
_NAME = re.compile(r"[0-9a-f]{64}\.[a-z]+")  # of its files: others are not its own


@dataclass
class _Store:
    """Where things are kept, and how many."""

    folder: Path
    code: tuple[Path, ...]
    most_files: int

    @cached_property
    def code_digest(self) -> str:
        """A digest of the modules; "" if they cannot be read, as in an archive."""
        onnx = importlib.util.find_spec("onnx")
        if onnx is None or onnx.origin is None:
            return ""
        digest = hashlib.sha256()
        try:
            digest.update(Path(onnx.origin).with_name("version.py").read_bytes())
            files = sorted(file for folder in self.code for file in folder.glob("*.py"))
            for file in files:
                digest.update(f"\n{file.name}\n".encode() + file.read_bytes())
        except OSError:
            return ""
        return digest.hexdigest() if files else ""


_store: _Store | None = None


@contextmanager
def remembering(
    folder: Path, *, code: tuple[Path, ...] = CODE, most_files: int = 40
) -> Iterator[None]:
    """Inside, `remembered` keeps what it makes in this folder, which is created when needed.

    What modules in the folders of `code` made is forgotten when one of them changes. Of more than
    `most_files` files the oldest are removed.
    """
    with _keeping_in(_Store(folder, code, most_files)):
        yield


def as_now() -> Callable[[], AbstractContextManager[None]]:
    """For what is made later: inside what this returns, it is kept where it would be kept now."""
    return partial(_keeping_in, _store)


@contextmanager
def _keeping_in(store: _Store | None) -> Iterator[None]:
    global _store
    before, _store = _store, store
    try:
        yield
    finally:
        _store = before


def remembered(
    kind: str,
    data: bytes,
    besides: str,
    names: Collection[str],
    make: Callable[[], tuple[Facts, bytes]],
) -> tuple[Facts, bytes]:
    """What `make` returns: kept from an earlier run, or made now. It raises what `make` raises.

    Args:
        kind: what is made.
        data: the model's file.
        besides: what else it depends on.
        names: of the facts.
        make: facts and bytes that are made of the file.
    """
    store = _store
    if store is None or len(data) > _MOST_BYTES or not store.code_digest:
        return make()
    key = hashlib.sha256(data)
    key.update(f"\n{kind}\n{besides}\n{store.code_digest}".encode(errors="surrogateescape"))
    file = store.folder / f"{key.hexdigest()}.{kind}"
    found = _read(file)
    if found is None or found[0].keys() != set(names):
        found = make()
        _write(store, file, *found)
    return found


def _read(file: Path) -> tuple[Facts, bytes] | None:
    """The facts and bytes of a file; None if there is none or it is damaged."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, _, rest = content.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        return None
    facts, _, body = rest.partition(b"\n")
    try:
        found = json.loads(facts)
    except ValueError:
        return None
    return (found, body) if isinstance(found, dict) else None


def _write(store: _Store, file: Path, facts: Facts, body: bytes) -> None:
    rest = json.dumps(facts).encode() + b"\n" + body
    part = file.with_name(f"{file.name}.{os.getpid()}")
    with contextlib.suppress(OSError):  # a full disk, or a home that cannot be written to
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part.write_bytes(hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest)
        os.replace(part, file)
        _forget_oldest(store)
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)


def _forget_oldest(store: _Store) -> None:
    """Keep the newest, and what others put into the folder."""
    times: list[tuple[int, Path]] = []
    for file in store.folder.iterdir():
        if _NAME.fullmatch(file.name):
            with contextlib.suppress(OSError):  # another process was faster
                times.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(times)[: -store.most_files]:
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
