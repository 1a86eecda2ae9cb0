"""Builds with NVIDIA's TensorRT for RTX, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..support.waiting import PATIENCE_S

WORKER = Path(__file__).with_name("worker.py")


class Builder:
    """A process that builds engines with framelift's own code; a new one when it has crashed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def build(
        self,
        model: Path,
        shapes: str = "270x480",
        gpu: str = "SM89",
        *,
        cancel: bool = False,
        timings: str = "",
        **options: Any,  # noqa: ANN401 - fields of BuilderOptions
    ) -> dict[str, Any]:
        """What worker.py answers; a crash fails the test."""
        request = {
            "model": str(model),
            "shapes": shapes,
            "gpu": gpu,
            "cancel": cancel,
            "timings": timings,
            "options": options,
        }
        return self._ask(request, f"building {model.name} for {gpu}")

    def parse(self, model: Path) -> list[str]:
        """What the parser does not take of any ONNX file, a line for each node."""
        problems: list[str] = self._ask({"parse": str(model)}, f"parsing {model.name}")["problems"]
        return problems

    def _ask(self, request: dict[str, Any], what: str) -> dict[str, Any]:
        process = self._process or subprocess.Popen(
            [sys.executable, "-W", "error", str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            if line.startswith("{"):  # and not what the library itself prints
                answer: dict[str, Any] = json.loads(line)
                return answer
        pytest.fail(f"{what} {self._end()}")

    def close(self) -> None:
        if self._process is not None:
            self._end()

    def _end(self) -> str:
        process, self._process = self._process, None
        assert process is not None
        process.communicate(timeout=PATIENCE_S)
        code = process.returncode
        return f"ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"


@pytest.fixture(scope="session")
def builder() -> Iterator[Builder]:
    builder = Builder()
    yield builder
    builder.close()
