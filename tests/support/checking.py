"""Models for `framelift check`, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from framelift.export.check.checker import CheckReport

Build = Callable[..., Path]


def problems(report: CheckReport, target: str) -> list[str]:
    return [f"{f.where}: {f.problem}" for f in report.findings if target in f.targets]
