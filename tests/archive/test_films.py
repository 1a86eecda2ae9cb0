"""Long films in pieces, made by several workers, one of which is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from framelift.archive.plan.films import Film, MadeWith, films_of
from framelift.archive.plan.job import Archive
from framelift.archive.plan.listing import Item
from framelift.archive.records.ledger import Description, Ledger
from framelift.archive.records.row import Row
from framelift.archive.run import run_here
from framelift.archive.worker.work import Worker
from framelift.runtime.files.settings import FileSettings
from framelift.runtime.video.pieces import Piece

from ..support.waiting import PATIENCE_S
from .conftest import write_clip


@pytest.fixture
def archive(tmp_path: Path, nearest_model_path: Path) -> Archive:
    settings = FileSettings(
        model=str(nearest_model_path), preset="ultrafast", threads=1, backend="onnx-cpu"
    )
    root = tmp_path / "in"
    write_clip(root / "film.mp4", 1500, key_frames=30)
    write_clip(root / "short.mp4", 20)
    Description(str(root), 2, {}).write(tmp_path / "out")
    return Archive(root, tmp_path / "out", settings, "digest", split_seconds=10.0)


FILM, SHORT = Item("film.mp4", "film.mp4", 1), Item("short.mp4", "short.mp4", 2)


def rows(archive: Archive) -> list[Row]:
    found = [row for row in Ledger(archive.out, "digest").new_rows() if row is not None]
    return sorted(found, key=lambda row: row.ended)


def run(archive: Archive, *items: Item) -> list[str]:
    with Worker(archive, lambda line: None) as worker:
        return [
            f"{item.source} {item.piece} {outcome.state}"
            for item, outcome in run_here(list(items), worker, lambda line: None)
        ]


def whole(archive: Archive, tmp_path: Path) -> bytes:
    """What one run in segments makes of the film."""
    target, model = tmp_path / "whole.mp4", str(archive.settings.model)
    code = "from framelift.cli.main import main; main()"
    options = ["--model", model, "--preset", "ultrafast", "--resume", "-q"]
    command = ["upscale", str(archive.root / "film.mp4"), str(target), *options]
    subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True)
    return target.read_bytes()


def test_a_film_is_split_and_joined(archive: Archive, tmp_path: Path) -> None:
    # Borders lie at multiples of a segment's 250 frames.
    assert run(archive, FILM, SHORT) == [
        "film.mp4 None split",
        "short.mp4 None done",
        *(f"film.mp4 {number} piece" for number in range(4)),
        "film.mp4 4 done",
    ]
    assert (archive.out / "film.mp4").read_bytes() == whole(archive, tmp_path)
    film = [row for row in rows(archive) if row.source == "film.mp4"]
    assert [(row.piece, row.pieces) for row in film] == [
        *((number, 5) for number in range(5)),
        (None, 5),
    ]
    assert [row.frames for row in film[:5]] == [250, 250, 500, 250, 250]
    assert film[5].frames == 1500
    assert not list((archive.out / ".framelift-archive" / "films").iterdir())
    assert run(archive, FILM, SHORT) == ["film.mp4 None earlier", "short.mp4 None earlier"]


def test_shards_help_with_the_films_of_others_also_when_one_is_killed(
    archive: Archive, tmp_path: Path
) -> None:
    """This shard has nothing to do of its own; the one that has the film dies in a piece."""
    with Worker(archive, lambda line: None) as worker:
        assert worker.do(FILM).state == "split"
        assert worker.do(Item("film.mp4", "film.mp4", 1, piece=0)).state == "piece"
        killer = kill_when(
            lambda: any(archive.out.glob(".framelift-archive/films/*/.00002.mp4.framelift")),
            lambda: worker.child_pid,
        )
        assert worker.do(Item("film.mp4", "film.mp4", 1, piece=2)).state == "piece"
        killer.join(timeout=PATIENCE_S)
        assert not killer.is_alive()
    lost = [row for row in rows(archive) if row.state == "failed"]
    assert [(row.piece, row.kind) for row in lost] == [(2, "ProcessLost")]
    assert run(archive) == [
        "film.mp4 1 piece",
        "film.mp4 3 piece",
        "film.mp4 4 done",
    ]
    assert (archive.out / "film.mp4").read_bytes() == whole(archive, tmp_path)


def test_pieces_that_were_removed_are_made_again(archive: Archive) -> None:
    with Worker(archive, lambda line: None) as worker:
        assert worker.do(FILM).state == "split"
        assert worker.do(Item("film.mp4", "film.mp4", 1, piece=1)).state == "piece"
    (folder,) = (archive.out / ".framelift-archive" / "films").iterdir()
    for path in (folder / ".00001.mp4.framelift").iterdir():
        path.unlink()
    (folder / ".00001.mp4.framelift").rmdir()
    assert run(archive, FILM)[-1] == "film.mp4 4 done"
    assert [row.piece for row in rows(archive)].count(1) == 2


def test_a_damaged_plan_is_made_again(archive: Archive) -> None:
    item = Item("film.mp4", "film.mp4", 1)
    film = Film(archive, item)
    film.write([Piece(0, None, None, None, None)], MadeWith())
    plan = film.folder / "plan.json"
    document = json.loads(plan.read_text())
    document["pieces"] = [{"number": 0, "start_pts": None}]
    of_another_version = json.dumps(document)
    invalid = ("", "[" * 100_000, "[]", '{"item": 1}', '{"item": {}, "pieces": []}')
    for damaged in (*invalid, of_another_version):
        plan.write_text(damaged)
        assert not Film(archive, item).is_planned()
        assert list(films_of(archive)) == []


def test_machines_with_another_model_do_not_mix_it_in(
    archive: Archive, shuffle_model_path: Path
) -> None:
    with Worker(archive, lambda line: None) as worker:
        assert worker.do(FILM).state == "split"
    other = Archive(
        archive.root,
        archive.out,
        FileSettings(model=str(shuffle_model_path), threads=1),
        archive.digest,
    )
    with Worker(other, lambda line: None) as worker:
        outcome = worker.do(Item("film.mp4", "film.mp4", 1, piece=0))
    assert outcome.state == "failed"
    assert "its pieces are made with tiny-nearest " in outcome.reason
    assert "name one model for all machines with --model" in outcome.reason


def kill_when(what: Callable[[], bool], pid: Callable[[], int | None]) -> threading.Thread:
    """Send SIGKILL to the process as soon as `what` holds."""

    def watch() -> None:
        while not what():
            time.sleep(0.001)
        number = pid()
        assert number is not None
        os.kill(number, signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
