"""Refuses options without a value, such as `--shard "$SHARD"` where the variable is not set."""

from __future__ import annotations

import os

import click
from click.types import StringParamType

_MESSAGE = "is empty (an unset variable?)"


class _Text(StringParamType):
    """Text of at least one character."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if value == "":
            self.fail(_MESSAGE, param, ctx)
        return super().convert(value, param, ctx)


class _Path(click.Path):
    """A path of at least one character; `pathlib` takes an empty one for the current folder."""

    def __init__(self, like: click.Path) -> None:
        vars(self).update(vars(like))

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        if value == "":
            self.fail(_MESSAGE, param, ctx)
        return super().convert(value, param, ctx)


def refuse_empty_values(command: click.Command) -> None:
    """Make the options of a command, or of all in a group, that take text or paths refuse "".

    It would count as no option at all, which silently means the default, or as the current folder.
    """
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            refuse_empty_values(inner)
        return
    for option in command.params:
        if not isinstance(option, click.Option) or option.default == "":
            continue
        if option.type is click.STRING:
            option.type = _Text()
        elif type(option.type) is click.Path:
            option.type = _Path(option.type)
