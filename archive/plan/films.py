"""Long films that are upscaled in pieces: their plans, and where the pieces lie."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
from msgspec import Struct

from ...common.errors import OutputError
from ...common.files import describe_os_error, write_atomic
from ...runtime.video.pieces import Piece
from ...runtime.video.resume.segments import work_path
from ..records.ledger import FOLDER, Records
from .job import Archive
from .listing import Item

_PLAN = "plan.json"


class MadeWith(Struct):
    """What all workers that make pieces of one film must have in common."""

    model: str = ""
    libraries: dict[str, list[int]] = msgspec.field(default_factory=dict)
    """Versions of FFmpeg's libraries."""


class _Described(Struct):
    """The film that a plan is of, and the digest of the options that it is made with."""

    source: str
    target: str
    size_bytes: int | None
    settings: str


class _Plan(Struct):
    """What the file of a plan holds."""

    item: _Described
    pieces: list[Piece]
    made_with: MadeWith


class Film:
    """A film in pieces; its folder lies beside the ledger until they are joined."""

    def __init__(self, archive: Archive, item: Item) -> None:
        """`item` is the film or one of its pieces."""
        digest = hashlib.sha256(item.target.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._archive = archive
        self.whole = replace(item, piece=None)
        self.folder = _folder(archive.out) / digest
        self.source = archive.root / item.source
        self.target = archive.out / item.target
        self.pieces: list[Piece] = []
        self.made_with = MadeWith()

    def is_planned(self) -> bool:
        """Read the plan, if there is one for this source and these options."""
        plan = _read_plan(self.folder / _PLAN)
        if plan is None or plan.item != self._described():
            return False
        self.pieces, self.made_with = plan.pieces, plan.made_with
        return True

    def write(self, pieces: list[Piece], made_with: MadeWith) -> None:
        """Keep a plan. Raises OutputError."""
        self.pieces, self.made_with = pieces, made_with
        document = msgspec.to_builtins(_Plan(self._described(), pieces, made_with))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(describe_os_error(self.folder, error)) from error
        write_atomic(self.folder / _PLAN, json.dumps(document).encode())

    def items(self) -> list[Item]:
        """The pieces as work for a worker."""
        return pieces_of(self.whole, len(self.pieces))

    def place(self, piece: int) -> Path:
        """What names the work folder of a piece: with the suffix of the target, by which its pixel
        format is chosen.
        """
        return self.folder / f"{piece:05}{self.target.suffix}"

    def has(self, item: Item, records: Records) -> bool:
        """Whether a piece is done, and its segments are there."""
        assert item.piece is not None
        done = records.pieces_done.get(item.source, set())
        return (item.piece, item.size_bytes) in done and work_path(self.place(item.piece)).exists()

    def remove(self) -> None:
        """Remove the pieces."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _described(self) -> _Described:
        item = self.whole
        return _Described(item.source, item.target, item.size_bytes, self._archive.digest)


def pieces_of(film: Item, count: int) -> list[Item]:
    """The pieces of a film as work for a worker."""
    return [replace(film, piece=number) for number in range(count)]


def films_of(archive: Archive) -> Iterator[Film]:
    """The films of the archive that were planned and not joined, with their plans."""
    for path in sorted(_folder(archive.out).glob(f"*/{_PLAN}")):
        plan = _read_plan(path)
        if plan is None:
            continue
        item = plan.item
        film = Film(archive, Item(item.source, item.target, item.size_bytes))
        if film.folder == path.parent and film.is_planned():
            yield film


def _read_plan(path: Path) -> _Plan | None:
    """A plan; `None` for one that is damaged, or is just being joined."""
    try:
        # Not by msgspec's own decoder, which refuses names that are not UTF-8.
        plan = msgspec.convert(json.loads(path.read_text(encoding="utf-8")), _Plan)
    except (OSError, ValueError, RecursionError):
        return None
    return plan if plan.pieces else None


def _folder(out: Path) -> Path:
    return out / FOLDER / "films"
