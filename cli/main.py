"""The `framelift` command. Command modules import only click at the top, so `--help` stays fast."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from ..imaging.errors import FrameliftError, Interrupted
from .bench import bench
from .check import check
from .doctor import doctor
from .engine import engine
from .export import export
from .inspect import inspect
from .models import models
from .stylize import stylize
from .train import train
from .upscale import upscale


def _show_version(context: click.Context, option: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from importlib.metadata import PackageNotFoundError, version  # a quarter of `--help`'s time

    try:
        found = version("framelift")
    except PackageNotFoundError:
        found = "unknown (not installed)"
    click.echo(f"framelift {found}")
    context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
    help="Show the version and exit.",
)  # fmt: skip
def framelift() -> None:
    """Train small super-resolution networks, export them to ONNX, upscale video in real time."""


for command in (train, export, check, engine, upscale, stylize, bench, inspect, models, doctor):
    framelift.add_command(command)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; every failure ends as one line on stderr and a non-zero exit code."""
    try:
        code = framelift.main(args=argv, prog_name="framelift", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(_in_one_line(error), error.exit_code)
    except Interrupted as error:
        click.echo(f"framelift: {error}", err=True)
        _leave_at_once(error.exit_code)
    except FrameliftError as error:
        _fail(" ".join(str(error).split()), error.exit_code)
    except OSError as error:  # a path that the system cannot look up, such as one that is too long
        where = "" if error.filename is None else f"{error.filename}: "
        _fail(f"{where}{error.strerror or error}", 1)
    except MemoryError as error:
        _fail(f"out of memory: {error}".removesuffix(": "), 1)
    sys.exit(code if isinstance(code, int) else 0)


def _in_one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message.removesuffix('.')} (see `{context.command_path} --help`)"


def _fail(message: str, exit_code: int) -> None:
    click.echo(f"framelift: {message}", err=True)
    sys.exit(exit_code)


def _leave_at_once(exit_code: int) -> None:
    """Exit without taking the interpreter down in order, which takes PyTorch seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
