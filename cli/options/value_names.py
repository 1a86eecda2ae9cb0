"""What the help calls the values of options: N and FILE where click would show INTEGER and PATH."""

from __future__ import annotations

from typing import Any

import click


def name_values(command: click.Command) -> None:
    """Name the numbers and paths of a command, or of all in a group, that have no name yet."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            name_values(inner)
        return
    for option in command.params:
        if isinstance(option, click.Option) and option.metavar is None and not option.is_flag:
            option.metavar = _name_of(option.type)


def _name_of(kind: click.ParamType[Any]) -> str | None:
    if isinstance(kind, click.types.IntParamType):
        return "N"
    if isinstance(kind, click.types.FloatParamType):
        return "NUMBER"
    if isinstance(kind, click.Path):
        return "FILE" if kind.file_okay else "DIR"
    return None
