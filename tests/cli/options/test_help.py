"""The help of every command: summaries fit on a line, sections hold every option once."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from framelift.cli.main import framelift
from framelift.cli.options.sections import SectionedCommand


def every_command(
    command: click.Command = framelift, parent: click.Context | None = None, name: str = "framelift"
) -> Iterator[click.Context]:
    context = click.Context(command, parent=parent, info_name=name)
    yield context
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            assert found is not None
            yield from every_command(found, context, inner)


def test_no_summary_in_a_list_of_commands_is_cut_off() -> None:
    groups = [one for one in every_command() if isinstance(one.command, click.Group)]
    assert len(groups) >= 3
    for context in groups:
        assert "..." not in context.command.get_help(context).partition("Commands:")[2]


def test_values_have_names_and_defaults_no_brackets_of_their_own() -> None:
    for context in every_command():
        text = context.command.get_help(context)
        assert not re.search(r"\b(INTEGER|FLOAT|PATH)\b", text), context.command_path
        assert "[default: (" not in " ".join(text.split()), context.command_path


@pytest.mark.parametrize("name", ["upscale", "archive", "stylize"])
def test_sections_hold_every_option_once(name: str) -> None:
    command = framelift.commands[name]
    assert isinstance(command, SectionedCommand)
    context = click.Context(command, info_name=name)
    shown = [option for _, options in command.sections(context) for option in options]
    assert len(shown) == len(set(shown))
    options = {one for one in command.get_params(context) if isinstance(one, click.Option)}
    assert set(shown) == options
    assert "Encoding:" in command.get_help(context)
