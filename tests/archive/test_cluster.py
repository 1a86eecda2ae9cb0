"""What Ray calls, and a real local cluster whose worker is killed."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from framelift.archive.cluster import Cluster, RayWorker, run_on_ray
from framelift.archive.plan.job import Archive, Outcome
from framelift.archive.plan.listing import Item
from framelift.archive.records.ledger import Ledger
from framelift.common.errors import BackendError, MissingDependencyError

from ..support.waiting import PATIENCE_S
from .conftest import items, write_clip


def test_only_paths_and_small_results_travel(archive: Archive) -> None:
    worker = RayWorker(archive)
    results = []
    for item in items(archive):
        result = worker({"item": json.dumps(asdict(item))})
        assert len(json.dumps(result)) < 2000
        results.append(msgspec.convert(json.loads(result["outcome"]), Outcome))
    worker.__ray_shutdown__()
    assert [outcome.state for outcome in results] == ["done", "done", "done", "failed", "done"]
    assert results[0].row is not None
    assert results[0].row.frames == 8
    assert "cannot be read as a video" in results[3].reason


def test_a_machine_without_the_shared_folders_is_named(archive: Archive, tmp_path: Path) -> None:
    row = {"item": json.dumps(asdict(items(archive)[0]))}
    for root, out, message in (
        (tmp_path / "elsewhere", archive.out, f"{tmp_path}/elsewhere: is not there on "),
        (archive.root, tmp_path / "own disk", "must lie on a file system that all machines share"),
    ):
        moved = Archive(root, out, archive.settings, archive.digest)
        result = RayWorker(moved)(row)
        outcome = msgspec.convert(json.loads(result["outcome"]), Outcome)
        assert (outcome.state, outcome.is_fatal) == ("failed", True)
        assert message in outcome.reason


def test_without_ray_the_command_that_installs_it_is_named(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "framelift\[ray\]"'):
        next(run_on_ray([], archive, Cluster(), lambda line: None))


def test_a_machine_too_busy_to_start_ray_is_one_line(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ray waits for 30 s, which is in its code."""
    ray = ModuleType("ray")

    def init(**options: object) -> None:
        raise RuntimeError("The current node timed out during startup.\nMore")

    monkeypatch.setattr(ray, "init", init, raising=False)
    monkeypatch.setattr(ray, "data", ModuleType("ray.data"), raising=False)
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setitem(sys.modules, "ray.data", ModuleType("ray.data"))
    with pytest.raises(BackendError) as raised:
        next(run_on_ray([], archive, Cluster(), lambda line: None))
    assert str(raised.value) == (
        "Ray cannot be used (The current node timed out during startup.): try again when this "
        "machine has less to do, or leave out --ray"
    )


RUN = """
import json, pickle, sys
from framelift.archive.cluster import Cluster, run_on_ray
from framelift.archive.plan.listing import Item

archive = pickle.loads(bytes.fromhex(sys.argv[1]))
items = [Item(**item) for item in json.loads(sys.argv[2])]
for item, outcome in run_on_ray(items, archive, Cluster(workers=2), lambda line: None):
    print(item.source, outcome.state, flush=True)
"""


@pytest.mark.slow
def test_a_worker_and_then_the_driver_are_killed(archive: Archive) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    for number in range(12):
        write_clip(archive.root / f"more/{number}.mp4", 200, seed=number)
    command = [sys.executable, "-c", RUN, pickle.dumps(archive).hex()]
    everything = items(archive)

    def start(left: list[Item]) -> subprocess.Popen[str]:
        listed = json.dumps([asdict(item) for item in left])
        return subprocess.Popen(
            [*command, listed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    first = start(everything)
    assert first.stdout is not None
    for _ in range(4):
        assert first.stdout.readline()
    victim, *_ = ray_workers(first.pid)
    os.kill(victim, signal.SIGKILL)
    for _ in range(4):
        assert first.stdout.readline()
    first.kill()
    first.communicate()
    done = Ledger(archive.out, "digest").refresh().done
    assert 7 <= len(done) < len(everything)
    second = start([item for item in everything if item.source not in done])
    printed, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    assert "failed" in printed  # the damaged file, as a result
    rows = [row for row in Ledger(archive.out, "digest").new_rows() if row is not None]
    finished = sorted(row.source for row in rows if row.state == "done")
    assert finished == sorted(
        item.source for item in everything if item.source != "series/damaged.mp4"
    )
    assert not list(archive.out.rglob("*.part*"))


@pytest.mark.slow
def test_ctrl_c_leaves_complete_files_and_no_claims(archive: Archive) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    for number in range(20):
        write_clip(archive.root / f"more/{number}.mp4", 400, seed=number)
    out = archive.out.with_name("by command")
    options = ["--ray", "--workers", "2", "--model", str(archive.settings.model)]
    code = "from framelift.cli.main import main; main()"
    run = subprocess.Popen(
        [sys.executable, "-u", "-c", code, "archive", str(archive.root), str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    for _ in range(3):
        assert run.stdout.readline()
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 130
    assert "framelift: interrupted by Ctrl-C; " in errors.splitlines()[-1]
    assert not list(out.rglob("*.part*"))
    assert not list((out / ".framelift-archive" / "claims").iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            "'127.0.0.1:1'",
            "Ray at 127.0.0.1:1 cannot be used ([Errno 111] Connection refused): name",
        ),
        ("'ray://127.0.0.1:1'", "Ray at ray://127.0.0.1:1 cannot be used ([Errno 111]"),
        ("None, None, 1.0, 1.0", "the Ray cluster has no room for a worker of 1 CPUs and 1 GPUs"),
    ],
)
def test_clusters_that_are_of_no_use(options: str, message: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    code = (
        "from framelift.archive import cluster\n"
        f"try: next(cluster.run_on_ray([], None, cluster.Cluster({options}), print))\n"
        "except cluster.BackendError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=PATIENCE_S
    )
    assert message in done.stdout


def ray_workers(driver: int) -> list[int]:
    """The processes of the actors in the cluster that the process `driver` started."""
    parents, actors = {}, []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "stat").read_bytes().rpartition(b")")[2].split()
            command = (process / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile
            continue
        parents[int(process.name)] = int(status[1])
        if command.startswith(b"ray::MapWorker(Map(RayWorker))"):
            actors.append(int(process.name))

    def belongs(process: int) -> bool:
        while process and process != driver:
            process = parents.get(process, 0)
        return process == driver

    return [actor for actor in actors if belongs(actor)]
