"""A table, whatever it is rendered as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """Rows of text under column names; the first column is left-aligned, the others right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def or_dash(value: float | None, form: str) -> str:
    """The value in the format `form`, or a dash for what is not known."""
    return "–" if value is None else format(value, form)
