"""Chromium with the built page. `make test-web` builds it and says where Chromium is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from framelift.web.model_index import model_index
from framelift.web.server import PageServer
from framelift.web.site import DIST, models_in

HERE = Path(__file__).parent
_SECONDS = 240

Scenario = Callable[..., dict[str, Any]]
"""Runs the scenario of a module here: scenario("pictures", "upscale", url=..., file=...)."""


def _missing() -> str | None:
    if not os.environ.get("FRAMELIFT_CHROMIUM"):
        return "`make test-web` runs it"
    if not shutil.which("node"):
        return "Node.js is not installed"
    if not (DIST / "index.html").is_file():
        return "the page is not built: `make web`"
    return None


@pytest.fixture(scope="session")
def scenario() -> Scenario:
    if reason := _missing():
        pytest.skip(reason)

    def run(module: str, name: str, **asked: object) -> dict[str, Any]:
        document = {"scenario": name, "chromium": os.environ["FRAMELIFT_CHROMIUM"], **asked}
        done = subprocess.run(
            ["node", str(HERE / f"{module}.mjs"), json.dumps(document, default=str)],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return run


def serve(models: dict[str, Path]) -> PageServer:
    return PageServer("127.0.0.1", 0, models, lambda: model_index(models, print))


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The page with the shipped models."""
    if reason := _missing():
        pytest.skip(reason)
    with serve(models_in(None)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.url
        server.shutdown()
