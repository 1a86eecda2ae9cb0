"""Files through real child processes, which are killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageSequence

from framelift.archive.plan.job import Archive, Outcome
from framelift.archive.records.claims import Claim
from framelift.archive.records.ledger import Ledger
from framelift.archive.records.row import Row
from framelift.archive.run import run_here
from framelift.archive.worker.process import ChildProcess
from framelift.archive.worker.work import Worker
from framelift.common.errors import FrameliftError
from framelift.runtime.files.settings import FileSettings

from .conftest import items, write_clip


def rows(archive: Archive) -> list[Row]:
    found = [row for row in Ledger(archive.out, "digest").new_rows() if row is not None]
    return sorted(found, key=lambda row: row.ended)


def outputs(archive: Archive) -> list[str]:
    """All files in OUT but those of the ledger, temporary ones included."""
    return sorted(
        path.relative_to(archive.out).as_posix()
        for path in archive.out.rglob("*")
        if path.is_file() and ".framelift-archive" not in path.parts
    )


def run(archive: Archive) -> dict[str, Outcome]:
    with Worker(archive, lambda line: None) as worker:
        return {
            item.source: outcome
            for item, outcome in run_here(items(archive), worker, lambda line: None)
        }


class Killing(Worker):
    """Has its child killed as soon as the file at hand has begun to be written."""

    kills = 0

    def kill(self, what: Callable[[], bool]) -> None:
        """Kill the child when `what` holds."""

        def watch() -> None:
            while not what():
                time.sleep(0.001)
            if pid := self.child_pid:
                os.kill(pid, signal.SIGKILL)

        threading.Thread(target=watch, daemon=True).start()


def test_a_tree_with_a_damaged_file(archive: Archive) -> None:
    found = run(archive)
    assert {source: outcome.state for source, outcome in found.items()} == {
        "a.mp4": "done",
        "photo.png": "done",
        "series/b.mkv": "done",
        "series/damaged.mp4": "failed",
        "series/late/c.mp4": "done",
    }
    assert outputs(archive) == ["a.mp4", "photo.png", "series/b.mkv", "series/late/c.mp4"]
    by_name = {row.source: row for row in rows(archive)}
    assert len(rows(archive)) == 5  # a file that is damaged is not tried again at once
    film = by_name["a.mp4"]
    assert (film.state, film.frames, film.width, film.height) == ("done", 8, 128, 96)
    assert film.host
    assert film.framelift
    assert (film.model, film.backend) == ("tiny-nearest", "onnx-cpu")
    assert len(film.model_sha256 or "") == 64
    assert (film.seconds or 0) > 0
    assert (film.fps or 0) > 0
    damaged = by_name["series/damaged.mp4"]
    assert (damaged.kind, damaged.error) == (
        "InputError",
        f"{archive.root}/series/damaged.mp4: cannot be read as a video, or is damaged "
        "(Invalid data found when processing input)",
    )
    again = run(archive)
    assert {outcome.state for outcome in again.values()} == {"earlier", "failed"}


def test_a_child_that_is_killed_costs_one_try(archive: Archive) -> None:
    write_clip(archive.root / "a.mp4", 600)
    with Killing(archive, lambda line: None) as worker:
        worker.kill(lambda: any(archive.out.glob(".a.*.part.mp4")))
        outcome = worker.do(items(archive)[0])
    assert outcome.state == "done"
    first, second = rows(archive)
    assert (first.state, first.kind) == ("failed", "ProcessLost")
    assert first.error == (
        f"{archive.root}/a.mp4: its process was ended by SIGKILL (often the system, when memory "
        "runs out)"
    )
    assert (second.state, second.frames) == ("done", 600)
    assert outputs(archive) == ["a.mp4"]  # what the killed one left is gone, too


def test_tries_end(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that ends its process every time is left alone after 1 + retries tries."""
    monkeypatch.setenv("PYTHONPATH", str(dying_package(archive.root.parent)))
    with Worker(archive, lambda line: None) as worker:
        outcome = worker.do(items(archive)[0])
    assert outcome.state == "failed"
    tries = [row.error for row in rows(archive) if row.source == "a.mp4"]
    assert tries == [f"{archive.root}/a.mp4: its process was ended by SIGSEGV"] * 3
    assert outputs(archive) == []


def dying_package(folder: Path) -> Path:
    """A sitecustomize.py with which opening a video in PyAV ends the child with SIGSEGV."""
    package = folder / "dying"
    package.mkdir()
    (package / "sitecustomize.py").write_text(
        "import sys, os, signal\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'framelift.runtime.video.reading.deinterlace':\n"
        "            import av\n"
        "            av.open = lambda *a, **k: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    return package


def test_a_child_that_does_not_answer_is_ended_and_replaced(archive: Archive) -> None:
    child = ChildProcess(archive.settings, lambda line: None)
    assert child.load(archive.root / "a.mp4").kind == ""
    assert child.pid is not None
    os.kill(child.pid, signal.SIGSTOP)
    child.silent_seconds = 1
    source, target = archive.root / "a.mp4", archive.out / "a.mp4"
    answer = child.make(source, target, replace=False)
    assert (answer.kind, answer.message) == (
        "ProcessLost",
        f"{source}: its process did not answer for 1 s and was ended",
    )
    patient = ChildProcess(archive.settings, lambda line: None)
    made = patient.make(source, target, replace=False).made
    assert made is not None
    assert made.frames == 8
    patient.close()


def test_what_cannot_work_for_any_file_ends_the_run(archive: Archive) -> None:
    lost = Archive(archive.root, archive.out, FileSettings(model="no-such-model"), archive.digest)
    with Worker(lost, lambda line: None) as worker:
        assert worker.load(items(lost)[0]).is_fatal
        with pytest.raises(FrameliftError, match="the other files were not tried"):
            list(run_here(items(lost), worker, lambda line: None))
    assert len(rows(lost)) == 1


def test_an_output_that_is_there_is_left_alone_and_a_changed_source_is_made_anew(
    archive: Archive,
) -> None:
    (archive.out / "a.mp4").write_bytes(b"precious")
    assert run(archive)["a.mp4"].state == "there"
    assert (archive.out / "a.mp4").read_bytes() == b"precious"
    write_clip(archive.root / "series/b.mkv", 11)
    found = run(archive)
    assert found["a.mp4"].state == "there"
    assert found["series/b.mkv"].state == "done"
    assert [(row.state, row.frames) for row in rows(archive) if row.source == "series/b.mkv"] == [
        ("done", 8),
        ("done", 11),
    ]
    assert [row.state for row in rows(archive) if row.source == "a.mp4"] == ["skipped"]


def test_a_run_that_was_killed_between_an_output_and_its_row(archive: Archive) -> None:
    """The output is complete, and its claim has no owner any more: it is not made twice."""
    assert run(archive)["a.mp4"].state == "done"
    for path in (archive.out / ".framelift-archive" / "ledger").iterdir():
        path.unlink()
    claim = Claim(archive.out, "a.mp4")
    assert claim.acquire()
    (marker,) = (archive.out / ".framelift-archive" / "claims").iterdir()
    content = marker.read_text()
    with claim:
        pass
    marker.write_text(content.replace(f"pid={os.getpid()}", "pid=999999"))
    made = (archive.out / "a.mp4").stat().st_mtime_ns
    outcome = run(archive)["a.mp4"]
    assert outcome.state == "done"
    assert outcome.row is not None
    assert outcome.row.notes == ["its process ended before it could write this row"]
    assert (archive.out / "a.mp4").stat().st_mtime_ns == made


def test_a_claim_without_an_output_is_a_failed_try(archive: Archive) -> None:
    claim = Claim(archive.out, "a.mp4")
    assert claim.acquire()
    (marker,) = (archive.out / ".framelift-archive" / "claims").iterdir()
    content = marker.read_text()
    with claim:
        pass
    marker.write_text(content.replace(f"pid={os.getpid()}", "pid=999999"))
    assert run(archive)["a.mp4"].state == "done"
    lost, done = (row for row in rows(archive) if row.source == "a.mp4")
    assert (lost.state, lost.kind, done.state) == ("failed", "ProcessLost", "done")
    assert "was killed, or its machine stopped" in (lost.error or "")


def test_a_file_that_another_process_makes_is_waited_for(archive: Archive) -> None:
    claim = Claim(archive.out, "a.mp4")
    assert claim.acquire()
    told: list[str] = []

    def give_back(line: str) -> None:
        told.append(line)
        claim.__exit__(None, None, None)

    with Worker(archive, lambda line: None) as worker:
        order = [item.source for item, _ in run_here(items(archive), worker, give_back)]
    assert order[-1] == "a.mp4"
    assert len(told) == 1
    assert told[0].startswith("waiting for 1 file that ")


def test_a_size_is_made_by_the_model_that_is_enough_for_each_file(archive: Archive) -> None:
    size = Archive(archive.root, archive.out, FileSettings(size="64x48"), archive.digest)
    large = Archive(archive.root, archive.out, FileSettings(size="960x720"), archive.digest)
    for sized, scale in ((size, 2), (large, 4)):
        with Worker(sized, lambda line: None) as worker:
            loaded = worker.load(items(sized)[0]).loaded
            assert loaded is not None
            assert loaded.scale == scale


def test_an_animated_gif_stays_one(archive: Archive) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    path = archive.root / "cat.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[70, 130], loop=0)
    archive = replace(archive, split_seconds=0.1)
    assert run(archive)["cat.gif"].state == "done"
    with Image.open(archive.out / "cat.gif") as made:
        assert (made.format, made.size) == ("GIF", (32, 24))
        times = [frame.info["duration"] for frame in ImageSequence.Iterator(made)]
    assert times == [70, 130]
