"""Cells of tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def size_text(size_bytes: int) -> str:
    """A file size in kB or MB."""
    if size_bytes < 1_000_000:
        return f"{size_bytes / 1e3:.1f} kB"
    return f"{size_bytes / 1e6:.1f} MB"


def entries(label: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON
    """One row for a plain value, one for each entry of a JSON object."""
    if not isinstance(value, dict):
        yield label, _text(value) or "not stated"
        return
    for key, entry in value.items():
        yield label, f"{key}: {_text(entry)}"
        label = ""


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return ", ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)
