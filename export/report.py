"""What a check says of a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One problem: an error keeps the targets from running the model, a warning is a risk."""

    is_error: bool
    targets: tuple[str, ...]
    where: str
    problem: str
    remedy: str
