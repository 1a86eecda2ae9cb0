"""The order of things inside the queue."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from framelift.common.files import FINISHED_PART_KEPT
from framelift.serve.jobs.job import Job, State
from framelift.serve.jobs.service import Service
from framelift.serve.jobs.settings import Settings
from framelift.serve.jobs.store import Store

from ..support.waiting import PATIENCE_S
from .test_restart import wait_until_gone


def job() -> Job:
    return Job("a.mp4", ".mp4", ".mp4", "upscale", {}, [], 1)


@pytest.mark.parametrize("steps", range(12))
def test_a_job_can_be_cancelled_at_every_step_of_its_start(
    tmp_path: Path, settings: Settings, steps: int
) -> None:
    """A task that is cancelled before its first step never runs, not even its `finally`."""

    async def scenario() -> None:
        sleeps = (sys.executable, "-c", "import time; time.sleep(600)")
        service = Service(replace(settings, folder=tmp_path / "served", command=sleeps, workers=1))
        async with service.running():
            queue = service.queue
            for _ in range(2):  # the worker must be there for the next one
                upload = await service.uploads.temporary(None)
                upload.write_bytes(b"x")
                one = job()
                await queue.add(upload, one)
                for _ in range(steps):
                    await asyncio.sleep(0)
                await asyncio.wait_for(queue.remove(one), PATIENCE_S)
                await service.uploads.discard(upload)
            assert queue.unfinished == 0
            assert list((tmp_path / "served" / "jobs").iterdir()) == []

    asyncio.run(scenario())
    if sys.platform == "linux":
        wait_until_gone(tmp_path / "served")


def test_a_failed_job_keeps_its_input_only_and_does_not_ask_to_run_a_command(
    tmp_path: Path, settings: Settings
) -> None:
    """As when the disk is full, with a part of the video in a work folder."""
    error = {
        "kind": "OutputError",
        "message": f"result.mp4: the disk is full; {FINISHED_PART_KEPT}",
    }
    fails = (
        "import json, pathlib, sys\n"
        "pathlib.Path('.result.mp4.framelift').mkdir()\n"
        "pathlib.Path('.result.mp4.framelift/segment').write_text('x')\n"
        "pathlib.Path('.result.mp4.part').write_text('x')\n"
        f"print(json.dumps({{'error': {error}}}))\n"
        "sys.exit(1)"
    )

    async def scenario() -> Job:
        command = (sys.executable, "-c", fails)
        service = Service(replace(settings, folder=tmp_path / "served", command=command))
        async with service.running():
            upload = await service.uploads.temporary(None)
            upload.write_bytes(b"x")
            one = job()
            await service.queue.add(upload, one)
            await asyncio.wait_for(service.queue.wait(one), PATIENCE_S)
            await service.uploads.discard(upload)
        return one

    failed = asyncio.run(scenario())
    assert failed.error == {"kind": "OutputError", "message": "a_upscaled.mp4: the disk is full"}
    folder = tmp_path / "served" / "jobs" / failed.id
    assert sorted(path.name for path in folder.iterdir()) == ["input.mp4", "job.json"]


FAILS = (
    "import json, sys; print(json.dumps({'error': {'kind': 'K', 'message': 'no'}})); sys.exit(1)"
)


@pytest.mark.parametrize("broken", ["the folder", "a file", "the first save"])
def test_a_failed_job_counts_once_and_stays_failed_whatever_the_disk_does(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    fails = "import pathlib; pathlib.Path('part').write_text('x')\n" + FAILS
    command = (sys.executable, "-c", fails)
    settings = replace(settings, folder=tmp_path / "served", command=command)
    saves = []

    async def scenario() -> tuple[Job, str]:
        service = Service(settings)
        async with service.running():
            upload = await service.uploads.temporary(None)
            upload.write_bytes(b"x")
            one = job()
            await service.queue.add(upload, one)
            await asyncio.wait_for(service.queue.wait(one), PATIENCE_S)
            await service.uploads.discard(upload)
        return one, service.metrics.text().decode()

    def no_disk(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    save = Store.save

    def refuses_once(store: Store, one: Job) -> None:
        if one.state is State.FAILED:
            saves.append(one)
            if len(saves) == 1:
                no_disk()
        save(store, one)

    with monkeypatch.context() as patch:
        if broken == "the folder":
            is_of_a_job = re.compile(r".*/jobs/[0-9a-f]{32}")
            iterdir = Path.iterdir
            patch.setattr(
                Path,
                "iterdir",
                lambda path: no_disk() if is_of_a_job.fullmatch(str(path)) else iterdir(path),
            )
        elif broken == "a file":
            unlink = Path.unlink
            patch.setattr(
                Path,
                "unlink",
                lambda path, **how: no_disk() if path.name == "part" else unlink(path, **how),
            )
        else:
            patch.setattr(Store, "save", refuses_once)
        failed, metrics = asyncio.run(scenario())
    assert failed.error == {"kind": "K", "message": "no"}
    assert 'framelift_jobs_total{end="failed",kind="video"} 1.0' in metrics
    folder = tmp_path / "served" / "jobs" / failed.id
    assert json.loads((folder / "job.json").read_text())["state"] == "failed"
    assert (folder / "part").exists() == (broken != "the first save")
