"""A mistyped command line as one line."""

from __future__ import annotations

import difflib
import re

import click
from click.core import ParameterSource

from ...common.text import one_line
from ..options.defaults import defaults_path

_NOT_AN_INTEGER = re.compile(r"is not a valid integer(?: range)?")


def kind_of(error: click.ClickException) -> str:
    """What `--json` calls it."""
    return "UsageError" if isinstance(error, click.UsageError) else type(error).__name__


def in_one_line(error: click.ClickException) -> str:
    """What is wrong, and where help is."""
    message = one_line(error.format_message())
    if isinstance(error, click.NoSuchOption):
        message = _unknown_option(error)
    message = _NOT_AN_INTEGER.sub("is not a whole number", message)
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if parameter is not None and parameter.name is not None:
        source = context.get_parameter_source(parameter.name)
        if source is ParameterSource.DEFAULT_MAP:
            return f"{defaults_path()}: {message.removesuffix('.')}"
    return f"{message.removesuffix('.')} (see `{context.command_path} --help`)"


def _unknown_option(error: click.NoSuchOption) -> str:
    near = difflib.get_close_matches(error.option_name, error.possibilities or (), n=1, cutoff=0.7)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"No such option '{error.option_name}'{hint}"
