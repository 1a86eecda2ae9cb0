"""Rows of a part, each on disk as soon as it is known: one JSON object a line."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

FILE = "FRAMELIFT_RESULTS"
"""The environment variable that names the file of a part."""
SECONDS = "FRAMELIFT_SECONDS"
"""The one that says how long the part may take; it is ended then."""

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


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a part; what was being written when it was ended is left out."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    rows = []
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("kind"), str):
            rows.append(row)
    return rows


def seconds_left() -> float:
    """How long this part may still take; a day where nobody said."""
    limit = float(os.environ.get(SECONDS, 86_400))
    return limit - (time.monotonic() - _STARTED)
