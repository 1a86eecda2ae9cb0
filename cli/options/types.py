"""What values options and arguments take, beyond click's own types."""

from __future__ import annotations

import math
import os
from typing import Any

import click
from click.types import StringParamType

from ...common.errors import ConfigError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MESSAGE = "is empty (an unset variable?)"
_MAX_DIGITS = 9


class Finite(click.FloatRange):
    """A number of a range; `nan` and infinity, which every range lets through, are refused."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number. Raises click's usage error."""
        try:
            float(value)
        except (TypeError, ValueError):
            self.fail(f"{value!r} is not a number", param, ctx)
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class Size(click.ParamType[int]):
    """A number of bytes: 500M, 2G, 1.5GiB."""

    name = "SIZE"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> int:
        """The number. Raises click's usage error."""
        text = str(value).strip().upper().removesuffix("B").removesuffix("I")
        unit = text[-1:] if text[-1:] in "KMGT" else ""
        try:
            size = float(text.removesuffix(unit)) * _UNITS[unit]
            if not 0 <= size < 1 << 60:
                raise ValueError
            return int(size)
        except ValueError:
            self.fail(f"{value} is not a size: write for instance 500M or 2G", param, ctx)


def parse_device(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """The number of a GPU. Raises ConfigError if it is none."""
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _MAX_DIGITS):
        raise ConfigError(
            f"--device {value!r} is not the number of a GPU: use 0, 1 and so on, or "
            "--backend onnx-cpu for the CPU"
        )
    return int(value)


def require_name(
    context: click.Context, argument: click.Parameter, value: str | tuple[str, ...]
) -> str | tuple[str, ...]:
    """Refuse an empty IN or OUT, which as a path would be the current folder."""
    if not all(value) if isinstance(value, tuple) else not value:
        raise click.BadParameter(
            f"{_MESSAGE}; name a file, a folder or a stream",
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


def refuse_empty_value(option: click.Parameter) -> None:
    """Make an option or argument that takes text or a path refuse "".

    It would count as no option at all, which silently means the default, or as the current folder.
    """
    if option.default == "":
        return
    if option.type is click.STRING:
        option.type = _Text()
    elif type(option.type) is click.Path:
        option.type = _Path(option.type)


def name_value(option: click.Option) -> None:
    """Show N and FILE in the help where click would show INTEGER and PATH."""
    if option.metavar is not None or option.is_flag:
        return
    if isinstance(option.type, click.types.IntParamType):
        option.metavar = "N"
    elif isinstance(option.type, click.types.FloatParamType):
        option.metavar = "NUMBER"
    elif isinstance(option.type, click.Path):
        option.metavar = "FILE" if option.type.file_okay else "DIR"
