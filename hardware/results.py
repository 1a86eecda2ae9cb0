"""Rows of a part, each on disk as soon as it is known: one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

FILE = "FRAMELIFT_RESULTS"
"""The environment variable that names the file of a part."""
SECONDS = "FRAMELIFT_SECONDS"
"""The one that says how long the part may take; it is ended then."""

Row = dict[str, Any]
"""A JSON object with its `kind`. Parts crash and are cut off, so that what it holds is not sure: a
row that is odd costs its table, not the account."""

_STARTED = time.monotonic()


def add(kind: str, **values: Any) -> None:  # noqa: ANN401 - whatever JSON takes
    """Append a row to this part's file, or print it where none is named."""
    line = json.dumps({"kind": kind, **values}, ensure_ascii=False, default=str) + "\n"
    name = os.environ.get(FILE)
    if name is None:
        print(line, end="")
        return
    with open(name, "a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> list[Row]:
    """The rows of a part."""
    return [row for row in objects(path) if isinstance(row.get("kind"), str)]


def objects(path: Path) -> list[dict[str, Any]]:
    """The JSON objects of a file, one a line; what was being written when it was cut off is left
    out, and nothing is there without a file.
    """
    found = []
    with suppress(OSError):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError):
                found.append(json.loads(line))
    return [row for row in found if isinstance(row, dict)]


def seconds_left() -> float:
    """How long this part may still take; a day where there is no limit."""
    limit = float(os.environ.get(SECONDS, 86_400))
    return limit - (time.monotonic() - _STARTED)
