"""What a run writes while it goes: history.jsonl, TensorBoard, the progress bar's figures."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...common.errors import OutputError
from ...common.files import write_atomic
from .board import Board


class Meter:
    """Means of losses and speeds between two log lines."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._images = 0
        self._seconds = 0.0
        self._waited = 0.0

    def add(self, losses: Mapping[str, float], images: int, seconds: float, waited: float) -> None:
        """Note one step: its losses, images, duration and the part spent waiting for data."""
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._images += images
        self._seconds += seconds
        self._waited += waited

    def take(self) -> dict[str, float]:
        """The means since the last call; empties the meter."""
        record = {name: value / self._steps for name, value in self._sums.items()}
        record["images_per_s"] = self._images / self._seconds
        record["data_wait_share"] = self._waited / self._seconds
        self._reset()
        return record


class History:
    """history.jsonl: one line per log and validation; resuming leaves no line twice."""

    def __init__(self, folder: Path, step: int) -> None:
        """Go on after `step`: lines of later steps, of a session that was lost, are dropped."""
        self._path = folder / "history.jsonl"
        # A byte that a crash has spoiled costs its line, not the run.
        text = (
            self._path.read_text(encoding="utf-8", errors="replace") if self._path.is_file() else ""
        )
        held = text.splitlines()
        kept = [line for line in held if _step(line) <= step]
        write_atomic(self._path, "".join(line + "\n" for line in kept).encode())

    def write(self, step: int, record: Mapping[str, float]) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, **record}) + "\n")
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error

    def pictures(self, step: int, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Pictures are for TensorBoard."""

    def close(self) -> None:
        """Every line is written at once."""


def _step(line: str) -> float:
    """The step of a history line; infinite for one that was cut short as the machine went down."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, KeyError):
        return math.inf


Log = History | Board


@contextmanager
def open_logs(folder: Path, step: int, tensorboard: bool) -> Iterator[Sequence[Log]]:
    """During the block, the logs of a run in `folder` that goes on after `step`."""
    logs: list[Log] = [History(folder, step)]
    if tensorboard:
        logs.append(Board(folder, step))
    try:
        yield logs
    finally:
        for log in logs:
            log.close()
