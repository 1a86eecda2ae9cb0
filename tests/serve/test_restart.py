"""A server that is killed loses nothing, and leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ..support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

_MAIN = "from framelift.cli.main import main; main()"


@contextmanager
def serving(
    folder: Path, model: Path, *options: str
) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """`framelift serve` as a process of its own."""
    log = folder.parent / "log.txt"
    with log.open("ab") as stderr:
        start = stderr.tell()
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                _MAIN,
                "serve",
                "--port",
                "0",
                "--folder",
                str(folder),
                "--model",
                str(model),
                "--threads",
                "1",
                "--backend",
                "onnx-cpu",
                *options,
            ],
            stderr=stderr,
        )
    try:

        def address() -> re.Match[bytes] | None:
            assert process.poll() is None, log.read_text()
            return re.search(rb"http://127.0.0.1:\d+", log.read_bytes()[start:])

        found = wait_until(address, "the server's address")
        assert found is not None
        with httpx.Client(base_url=found[0].decode(), timeout=PATIENCE_S) as client:
            yield process, client
    finally:
        process.kill()
        process.wait()


def working_in(folder: Path) -> list[int]:
    """Processes whose current folder is below `folder`."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            here = os.readlink(process / "cwd")
        except OSError:
            continue
        if here.startswith(f"{folder}/"):
            found.append(int(process.name))
    return found


def wait_until_gone(folder: Path) -> None:
    """Until no process works below `folder`."""
    wait_until(lambda: not working_in(folder), f"the end of the processes in {folder}")


def wait_for_frames(client: httpx.Client, job: str) -> None:
    """Until a job, which is not done then, has made some."""

    def frames() -> object:
        found = client.get(job).json()
        assert found["state"] in ("queued", "running"), found
        return (found["progress"] or {}).get("frames")

    wait_until(frames, f"frames of {job}")


def wait_until_done(client: httpx.Client, job: str) -> None:
    def is_done() -> bool:
        found = client.get(job).json()
        assert found["state"] != "failed", found
        return bool(found["state"] == "done")

    wait_until(is_done, f"the end of {job}")


def test_jobs_and_results_survive_kill_9(
    tmp_path: Path, nearest_model_path: Path, long_clip: Path, clip: Path
) -> None:
    folder = tmp_path / "served"
    model = {"model": nearest_model_path.stem}
    with serving(folder, nearest_model_path) as (process, client):
        files = [(path.name, path.read_bytes()) for path in (clip, long_clip, clip)]
        jobs = [
            client.post("/v1/jobs", files={"file": file}, data=model).headers["location"]
            for file in files
        ]
        upload = client.post("/v1/uploads", headers={"Upload-Length": "9"}).headers["location"]
        client.patch(
            upload,
            content=b"1234",
            headers={"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"},
        )
        wait_until_done(client, jobs[0])
        first = client.get(f"{jobs[0]}/result").content
        wait_for_frames(client, jobs[1])
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until_gone(folder)
    with serving(folder, nearest_model_path) as (process, client):
        assert client.get(f"{jobs[0]}/result").content == first
        assert client.head(upload).headers["upload-offset"] == "4"
        for job in jobs:
            wait_until_done(client, job)
        frames = [client.get(job).json()["result"]["frames"] for job in jobs]
        assert frames == [12, 300, 12]
        for job in jobs:
            client.delete(job)
        assert list((folder / "jobs").iterdir()) == []


def test_ctrl_c_ends_it_in_order_and_the_job_goes_on_later(
    tmp_path: Path, nearest_model_path: Path, long_clip: Path
) -> None:
    folder = tmp_path / "served"
    with serving(folder, nearest_model_path) as (process, client):
        job = client.post(
            "/v1/jobs",
            files={"file": (long_clip.name, long_clip.read_bytes())},
            data={"model": nearest_model_path.stem},
        ).headers["location"]
        wait_for_frames(client, job)
        with client.stream("GET", f"{job}/events") as events:  # a page that watches stops nothing
            next(events.iter_lines())
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        wait_until_gone(folder)
    log = (tmp_path / "log.txt").read_text()
    assert "stopping (Ctrl-C); 1 job goes on when it starts again" in log
    assert "Traceback" not in log
    with serving(folder, nearest_model_path) as (_, client):
        assert client.get(job).json()["state"] in ("queued", "running")
        client.delete(job)
