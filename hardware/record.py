"""Writes the account of a run: summary.json for programs, summary.md for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from framelift.common.files import write_durably

from . import tables
from .plan import Account, Settings
from .results import Row

_TABLES: dict[str, Callable[[list[Row]], list[str]]] = {
    "environment": tables.environment,
    "tests": tables.tests,
    "latency": tables.latency,
    "video": tables.video,
    "training": tables.training,
    "zoo": tables.zoo,
}


def write_record(settings: Settings, accounts: Sequence[Account], seconds: float) -> None:
    """Write both files into the folder, each complete or as it was. Raises OSError."""
    document = {
        "schema": 1,
        "dry_run": settings.dry_run,
        "limit_s": settings.seconds,
        "seconds": seconds,
        "parts": [
            {
                "name": account.part.name,
                "group": account.part.group,
                "title": account.part.title,
                "state": account.state,
                "seconds": account.seconds,
                "limit_s": account.limit_s,
                "exit_code": account.exit_code,
                "last_line": account.last_line,
                "rows": account.rows,
            }
            for account in accounts
        ],
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    write_durably(settings.out / "summary.json", text.encode())
    text = "\n".join(_markdown(settings, accounts, seconds)) + "\n"
    write_durably(settings.out / "summary.md", text.encode())


def _markdown(settings: Settings, accounts: Sequence[Account], seconds: float) -> list[str]:
    title = "Rehearsal" if settings.dry_run else "What the GPU shows"
    lines = [f"# {title}", "", f"{seconds:.0f} of {settings.seconds:.0f} s.", ""]
    lines += tables.table(
        ["part", "state", "s", "at most", "last line of its log"],
        [
            [
                account.part.title,
                account.state,
                f"{account.seconds:.0f}",
                f"{account.limit_s:.0f}",
                None if account.state == "done" else account.last_line,
            ]
            for account in accounts
        ],
    )
    for group, table in _TABLES.items():
        rows = [row for account in accounts if account.part.group == group for row in account.rows]
        if rows:
            lines += ["", f"## {group.capitalize()}", "", *_shown(table, rows)]
    return lines


def _shown(table: Callable[[list[Row]], list[str]], rows: list[Row]) -> list[str]:
    try:
        return table(rows)
    except Exception as error:  # a row that is odd costs its table, not the account
        return [f"cannot be shown ({type(error).__name__}: {error}); see summary.json"]
