"""A real server on loopback, in a thread of the test's process."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest
import uvicorn

from framelift.cli.serve.settings import problem_of
from framelift.serve.app import create_app
from framelift.serve.jobs.service import Service
from framelift.serve.jobs.settings import Limits, Model, Settings
from framelift.serve.server import listen

from ..support.clips import make_clip, noise
from ..support.waiting import PATIENCE_S, wait_until

COMMAND = (sys.executable, "-P", "-m", "framelift.cli.serve.job")


@dataclass
class Served:
    """A running server and a client of it."""

    client: httpx.Client
    folder: Path
    service: Service

    def upload(self, path: Path, **options: str) -> str:
        """Queue a job; its id."""
        with path.open("rb") as file:
            answer = self.client.post(
                "/v1/jobs", files={"file": (path.name, file)}, data={"model": "tiny", **options}
            )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job, when it is done or failed."""
        return self.events(job_id)[-1][1]

    def events(self, job_id: str) -> list[tuple[str, dict[str, Any]]]:
        """All server-sent events of a job, to its end."""
        found, name = [], ""
        with self.client.stream("GET", f"/v1/jobs/{job_id}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    found.append((name, json.loads(line.removeprefix("data: "))))
        return found

    def left_over(self) -> list[str]:
        """Files of uploads, jobs and requests."""
        parts = (self.folder / name for name in ("uploads", "jobs", "requests"))
        # os.walk passes over folders that go away meanwhile; rglob does not.
        walks = (os.walk(part) for part in parts)
        return [
            os.path.join(folder, name)
            for walk in walks
            for folder, folders, names in walk
            for name in (*folders, *names)
        ]

    def idle(self) -> None:
        """Wait until nothing is left to do, and nothing to remove."""
        queue = self.service.queue
        wait_until(lambda: not (queue.unfinished or self.left_over()), "an empty server")


Start = Callable[..., Served]


@contextmanager
def running(settings: Settings, **times: float) -> Iterator[Served]:
    """The server, until the block ends."""
    service = Service(settings, **times)
    config = uvicorn.Config(
        create_app(service), log_config=None, ws="none", timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_S) as client:
                yield Served(client, settings.folder, service)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def settings(nearest_model_path: Path) -> Settings:
    """Those of a server with one tiny model."""
    return Settings(
        folder=Path(),
        command=COMMAND,
        check_options=problem_of,
        models={"tiny": Model("tiny", "upscale", str(nearest_model_path), {"scale": 4})},
        arguments=["--backend=onnx-cpu", "--threads=1"],
        workers=2,
    )


@pytest.fixture
def start(tmp_path: Path, settings: Settings) -> Iterator[Start]:
    """Starts servers with other settings, or other `limits`; all end with the test."""
    with ExitStack() as stack:

        def begin(*, limits: dict[str, Any] | None = None, **changes: Any) -> Served:  # noqa: ANN401
            times = {"sweep_seconds": changes.pop("sweep_seconds", 60.0)}
            changed = replace(
                settings, folder=tmp_path / "served", limits=Limits(**(limits or {})), **changes
            )
            return stack.enter_context(running(changed, **times))

        yield begin


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, settings: Settings) -> Iterator[Served]:
    """A server for all tests of a module."""
    folder = tmp_path_factory.mktemp("served") / "folder"
    with running(replace(settings, folder=folder)) as served:
        yield served


@pytest.fixture(scope="session")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PNG."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    cv2.imwrite(str(path), noise(1, 40, 30)[0])
    return path


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 12 frames."""
    return make_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip that takes seconds."""
    return make_clip(tmp_path_factory.mktemp("long") / "long.mp4", noise(300, 128, 96))
