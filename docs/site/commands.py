"""The reference of the command line as Markdown, made from the click commands themselves."""

from __future__ import annotations

import html
import inspect
from collections.abc import Iterator

import click

from framelift.cli.main import framelift
from framelift.cli.options.sections import SectionedCommand

_ESCAPES = {**{letter: f"\\{letter}" for letter in "*_[]#"}, "<": "&lt;", ">": "&gt;"}


def command_reference() -> str:
    """One section for each command of `framelift`: usage, description, examples and options."""
    context = click.Context(framelift, info_name="framelift")
    return "\n".join(
        line for name in sorted(framelift.commands) for line in _section(name, context, 2)
    )


def _section(name: str, parent: click.Context, level: int) -> Iterator[str]:
    group = parent.command
    assert isinstance(group, click.Group)
    command = group.commands[name]
    context = click.Context(command, parent=parent, info_name=name)
    yield f"{'#' * level} {context.command_path}\n"
    yield _fenced(" ".join([context.command_path, *command.collect_usage_pieces(context)]))
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield _paragraph(paragraph)
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            yield from _section(child, context, level + 1)
    else:
        yield from _options(command, context)


def _paragraph(text: str) -> str:
    """Lines after click's mark for text that is not to be wrapped are examples."""
    if text.startswith("\b\n"):
        return _fenced(text.removeprefix("\b\n"))
    return _escaped(" ".join(text.split())) + "\n"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    if isinstance(command, SectionedCommand):
        for title, options in command.sections(context):
            yield f"**{title}**\n"
            yield from _table(options, context)
        return
    params = command.get_params(context)
    yield from _table([one for one in params if isinstance(one, click.Option)], context)


def _table(options: list[click.Option], context: click.Context) -> Iterator[str]:
    yield "| option | what it does |\n|---|---|"
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            names, text = record
            yield f"| <code>{_cell(html.escape(names))}</code> | {_cell(_escaped(text))} |"
    yield ""


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, but for code between backticks."""
    parts = text.split("`")
    parts[::2] = ["".join(_ESCAPES.get(letter, letter) for letter in part) for part in parts[::2]]
    return "`".join(parts)


def _cell(text: str) -> str:
    """Text in a table: a bar would begin the next cell, even in code."""
    return text.replace("|", "&#124;")
