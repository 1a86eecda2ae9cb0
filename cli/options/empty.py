"""Refuses options without a value, such as `--shard "$SHARD"` where the variable is not set."""

from __future__ import annotations

import click
from click.core import ParameterSource


def refuse_empty_values(command: click.Command) -> None:
    """Make the options of a command, or of all in a group, that take text refuse an empty one.

    It would count as no option at all, which silently means the default.
    """
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            refuse_empty_values(inner)
        return
    for option in command.params:
        takes_text = isinstance(option, click.Option) and option.type is click.STRING
        if takes_text and option.callback is None and option.default != "":
            option.callback = _refuse


def _refuse(
    context: click.Context, option: click.Parameter, value: str | tuple[str, ...] | None
) -> str | tuple[str, ...] | None:
    empty = "" in value if isinstance(value, tuple) else value == ""
    assert option.name is not None
    if empty and context.get_parameter_source(option.name) is not ParameterSource.DEFAULT:
        raise click.BadParameter("is empty (an unset variable?)", context, option)
    return value
