"""What became of each part of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .plan import Part


@dataclass
class Account:
    """What became of each part; `state` is "waiting", "running", "no time left", "stopped" or one
    of `process.Ended`.
    """

    part: Part
    state: str = "waiting"
    seconds: float = 0.0
    limit_s: float = 0.0
    exit_code: int | None = None
    last_line: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)
