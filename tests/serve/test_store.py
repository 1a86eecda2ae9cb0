"""The server's folder, as damage leaves it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from framelift.serve.jobs.job import Job
from framelift.serve.jobs.store import Store


def kept(store: Store) -> tuple[Job, Path]:
    job = Job("a.mp4", ".mp4", ".mp4", "upscale", {}, [], 1)
    folder = store.job_folder(job)
    folder.mkdir()
    store.save(job)
    return job, folder / "job.json"


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[" * 100_000,
        "[]",
        {"schema": 2},
        {"name": 5},
        {"created": None},
        {"created": "yesterday"},
        {"finished": float("inf")},
        {"created": 1e300},
        {"arguments": [1]},
        {"options": {"scale": 2}},
        {"state": "lost"},
        {"error": {"message": "x"}},
        {"result": {}},
    ],
)
def test_a_damaged_job_is_left_alone_and_costs_no_other(
    damage: str | dict[str, object], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    good = kept(store)[0]
    path = kept(store)[1]
    if isinstance(damage, dict):
        damage = json.dumps({**json.loads(path.read_text()), **damage})
    path.write_text(damage)
    jobs, notes = store.load()
    assert [job.id for job in jobs] == [good.id]
    assert [note.partition(": left alone: ")[0] for note in notes] == [str(path.parent)]
    assert all(note.endswith("; remove this folder to free its space") for note in notes)
    assert path.read_text() == damage
    store.close()
