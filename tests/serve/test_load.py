"""50 uploads at once through 2 workers: none is lost, and memory does not grow with them."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from .test_restart import serving, working_in

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

UPLOADS, WORKERS = 50, 2
PADDING_BYTES = 20_000_000


class Watch:
    """The most memory that the server had, and the most processes of jobs at once."""

    def __init__(self, server: int, folder: Path) -> None:
        self.resident_bytes = self.processes = 0
        self._server, self._folder = server, folder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(0.05):
            self.resident_bytes = max(self.resident_bytes, resident(self._server))
            self.processes = max(self.processes, len(working_in(self._folder)))


def resident(process: int) -> int:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_fifty_uploads_at_once(tmp_path: Path, nearest_model_path: Path, clip: Path) -> None:
    # A clip with 20 MB that players skip, so that uploading is what there is to do.
    free = (PADDING_BYTES + 8).to_bytes(4, "big") + b"free" + bytes(PADDING_BYTES)
    padded = clip.read_bytes() + free
    folder = tmp_path / "served"
    options = ("--workers", str(WORKERS))
    with serving(folder, nearest_model_path, *options) as (process, client):
        before = resident(process.pid)
        begun = time.monotonic()
        with Watch(process.pid, folder) as watch, ThreadPoolExecutor(UPLOADS) as pool:

            def one(number: int) -> httpx.Response:
                with httpx.Client(base_url=client.base_url, timeout=600) as own:
                    return own.post(
                        "/v1/jobs",
                        files={"file": (f"{number}.mp4", padded)},
                        data={"model": nearest_model_path.stem},
                    )

            made = list(pool.map(one, range(UPLOADS)))
            uploaded = time.monotonic() - begun
            assert [answer.status_code for answer in made] == [201] * UPLOADS
            jobs = {answer.json()["id"]: answer.json()["name"] for answer in made}
            assert sorted(jobs.values()) == sorted(f"{number}.mp4" for number in range(UPLOADS))
            while True:
                states = client.get("/v1/jobs").json()["jobs"]
                if all(job["state"] in ("done", "failed") for job in states):
                    break
                time.sleep(0.5)
            finished = time.monotonic() - begun
        assert {job["id"] for job in states} == set(jobs)
        assert [job["error"] for job in states] == [None] * UPLOADS
        assert {job["result"]["frames"] for job in states} == {12}
        results = {client.get(job["result"]["url"]).content for job in states}
        assert len(results) == 1
        grown = watch.resident_bytes - before
        sys.stderr.write(
            f"\n{UPLOADS} uploads of {len(padded) / 1e6:.1f} MB in {uploaded:.1f} s, all done "
            f"after {finished:.1f} s; the server had {watch.resident_bytes / 1e6:.0f} MB at most, "
            f"{grown / 1e6:.0f} MB more than before, and {watch.processes} processes of jobs\n"
        )
        assert grown < 200e6
        assert watch.processes <= WORKERS
        for job in jobs:
            client.delete(f"/v1/jobs/{job}")
        assert list((folder / "jobs").iterdir()) == []
