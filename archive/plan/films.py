"""Long films that are upscaled in pieces: their plans, and where the pieces lie."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...common.errors import OutputError
from ...common.files import describe_os_error, write_atomic
from ...runtime.video.pieces import Piece
from ...runtime.video.resume.segments import work_path
from ..records.ledger import FOLDER, Records
from .job import Archive
from .listing import Item

_PLAN = "plan.json"


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
        self.pieces: list[dict[str, Any]] = []
        """See `runtime.video.pieces.Piece`."""
        self.made_with: dict[str, Any] = {}
        """What all workers must have in common."""

    def is_planned(self) -> bool:
        """Read the plan, if there is one for this source and these options."""
        document = _read_plan(self.folder / _PLAN)
        if document is None or document["item"] != self._described():
            return False
        self.pieces, self.made_with = document["pieces"], document["made_with"]
        return True

    def write(self, pieces: list[dict[str, Any]], made_with: dict[str, Any]) -> None:
        """Keep a plan. Raises OutputError."""
        self.pieces, self.made_with = pieces, made_with
        document = {"item": self._described(), "pieces": pieces, "made_with": made_with}
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

    def _described(self) -> dict[str, Any]:
        item = self.whole
        return {
            "source": item.source,
            "target": item.target,
            "size_bytes": item.size_bytes,
            "settings": self._archive.digest,
        }


def pieces_of(film: Item, count: int) -> list[Item]:
    """The pieces of a film as work for a worker."""
    return [replace(film, piece=number) for number in range(count)]


def films_of(archive: Archive) -> Iterator[Film]:
    """The films of the archive that were planned and not joined, with their plans."""
    for path in sorted(_folder(archive.out).glob(f"*/{_PLAN}")):
        document = _read_plan(path)
        if document is None:
            continue
        described = document["item"]
        item = Item(described["source"], described["target"], described["size_bytes"])
        film = Film(archive, item)
        if film.folder == path.parent and film.is_planned():
            yield film


def _read_plan(path: Path) -> dict[str, Any] | None:
    """A plan; `None` for one that is damaged, or is just being joined."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        whole = document["item"].keys() >= {"source", "target", "size_bytes"}
        Piece.from_json(document["pieces"][0])
        return document if whole and isinstance(document["made_with"], dict) else None
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None


def _folder(out: Path) -> Path:
    return out / FOLDER / "films"
