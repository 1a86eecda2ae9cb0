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


def require_both(
    context: click.Context, argument: click.Parameter, value: str | None
) -> str | None:
    """Name the argument that is missing of `IN... OUT`: a single one counts as OUT for click."""
    if value is not None and context.params["sources"]:
        require_name(context, argument, value)
        return value
    sources = next(one for one in context.command.params if one.name == "sources")
    raise click.MissingParameter(ctx=context, param=sources if value is None else argument)
