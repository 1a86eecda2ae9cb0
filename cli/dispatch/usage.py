"""A mistyped command line as one line."""

from __future__ import annotations

import click
from click.core import ParameterSource

from ...common.text import one_line
from ..options.defaults import defaults_path


def kind_of(error: click.ClickException) -> str:
    """What `--json` calls it."""
    return "UsageError" if isinstance(error, click.UsageError) else type(error).__name__


def in_one_line(error: click.ClickException) -> str:
    """What is wrong, and where help is."""
    message = one_line(error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if parameter is not None and parameter.name is not None:
        source = context.get_parameter_source(parameter.name)
        if source is ParameterSource.DEFAULT_MAP:
            return f"{defaults_path()}: {message.removesuffix('.')}"
    return f"{message.removesuffix('.')} (see `{context.command_path} --help`)"
