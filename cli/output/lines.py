"""Lines for the terminal, in which names of files may stand."""

from __future__ import annotations

import click

from ...common.text import printable


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line. What a name has of line breaks and escape sequences is replaced."""
    click.echo(printable(text), err=err)
