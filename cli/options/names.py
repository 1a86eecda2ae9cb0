"""Checks the arguments IN and OUT."""

from __future__ import annotations

import click


def require_name(
    context: click.Context, argument: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Refuse an empty IN or OUT, which as a path would be the current folder."""
    if not all(value) if isinstance(value, tuple) else not value:
        raise click.BadParameter(
            "is empty (an unset variable?); name a file, a folder or a stream",
            context,
            argument,
        )
    return value
