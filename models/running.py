"""How the commands of this folder end: a line and an exit code, never a traceback."""

from __future__ import annotations

import sys

import click

from framelift.common.errors import FrameliftError
from framelift.common.text import one_line


def run(command: click.Command, name: str, interrupted: str = "interrupted") -> None:
    """Run a command of `python -m models.NAME`; `interrupted` is what Ctrl-C says."""
    try:
        command(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        _fail(name, interrupted, 130)
    except FrameliftError as error:
        _fail(name, one_line(error), error.exit_code)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        _fail(name, f"{where}{error.strerror or error}", 1)


def _fail(name: str, message: str, code: int) -> None:
    click.echo(f"models.{name}: {message}", err=True)
    sys.exit(code)
