"""The `framelift` command. A command's module is imported when the command runs or is listed, and
imports only click at the top, so that `--help` stays fast."""

from __future__ import annotations

import contextlib
import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from ..common.errors import FrameliftError, Interrupted
from ..common.libraries.memory import is_out_of_memory
from ..common.signals import raised_by, signal_name, signals_as_interrupts
from ..common.text import one_line
from .completion import VARIABLE
from .dispatch.lazy_commands import LazyCommands
from .dispatch.usage import in_one_line, kind_of
from .options.defaults import read_defaults
from .options.types import name_value, refuse_empty_value, require_both, require_name
from .output import log_file
from .output.json_output import expect_json, print_failure
from .output.lines import print_line

_NO_THREAD = "can't start new thread"
_GARBAGE_THRESHOLD = 20_000
"""Objects after which Python looks for cycles. Its own 700 makes imports a tenth slower."""


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


_COMMANDS = {
    "train": "train:train",
    "export": "export:export",
    "import": "import_model:import_model",
    "check": "check:check",
    "engine": "engine:engine",
    "upscale": "upscale.command:upscale",
    "archive": "archive.command:archive",
    "stylize": "upscale.stylize:stylize",
    "serve": "serve.command:serve",
    "bench": "bench.group:bench",
    "inspect": "inspect:inspect",
    "models": "models:models",
    "doctor": "doctor:doctor",
    "web": "web:web",
    "completion": "completion:completion",
}
"""Command to the module in this folder, and its name there."""


def _prepare(command: click.Command) -> None:
    """Give a command, or all of a group, what all commands have."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _prepare(inner)
        return
    log_file.with_log_file(command)
    for option in command.params:
        if option.callback not in (require_name, require_both):  # which say more
            refuse_empty_value(option)
        if isinstance(option, click.Option):
            name_value(option)


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - what a command returns
        """Call the command. Of Ctrl-C, click itself makes an empty line and an error of its own."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise _interrupted() from error


@click.group(
    cls=_Commands,
    commands=LazyCommands(__package__ or "", _COMMANDS, _prepare),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def framelift() -> None:
    """Upscale images, videos and live streams with small neural networks, and train your own.

    \b
    framelift upscale clip.mp4 clip_x4.mp4     a video
    framelift upscale photos/ photos_x4/       a folder of images and videos
    framelift doctor                           what works on this machine
    framelift COMMAND --help                   all options of a command
    """


def main(argv: Sequence[str] | None = None, *, prepare: Callable[[], None] = lambda: None) -> None:
    """Run the command line; every failure ends as one line on stderr and a non-zero exit code.

    `prepare` is called before the command; its errors end the same way.
    """
    gc.set_threshold(_GARBAGE_THRESHOLD)
    gc.enable()
    _mend_standard_streams()
    argv = sys.argv[1:] if argv is None else argv
    expect_json(argv)
    log_file.note_arguments(argv)
    try:
        with signals_as_interrupts():
            try:
                _run(argv, prepare)
            except SystemExit as ended:
                log_file.end(ended.code if isinstance(ended.code, int) else 1)
                raise
    except (KeyboardInterrupt, Exception):  # some libraries make another error of Ctrl-C
        if raised_by() is None:
            raise
        _leave(_interrupted())


def _run(argv: Sequence[str], prepare: Callable[[], None]) -> NoReturn:
    try:
        prepare()
        code = framelift.main(
            args=argv,
            prog_name="framelift",
            standalone_mode=False,
            default_map={} if _only_asks(argv) else read_defaults(framelift),
        )
    except click.exceptions.Abort:  # Ctrl-C while click reads the command line
        _leave(_interrupted())
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(kind_of(error), in_one_line(error), error.exit_code)
    except Interrupted as error:
        _leave(error)
    except FrameliftError as error:
        _fail(type(error).__name__, one_line(error), error.exit_code)
    except OSError as error:  # a path that the system cannot look up, such as one that is too long
        if error.filename is None and _stdout_refuses(error):
            _fail("OutputError", f"stdout: cannot be written to ({error.strerror})", 1)
        where = "" if error.filename is None else f"{error.filename}: "
        _fail("OSError", f"{where}{error.strerror or error}", 1)
    except MemoryError as error:
        _fail("MemoryError", f"out of memory: {error}".removesuffix(": "), 1)
    except ImportError as error:  # a library for which there is no room
        if not is_out_of_memory(error):
            raise
        _fail("MemoryError", "out of memory", 1)
    except RuntimeError as error:
        if _NO_THREAD not in str(error):
            raise
        limits = "memory is short, or a limit of processes is reached (ulimit -u)"
        _fail("MemoryError", f"no more threads can be started: {limits}", 1)
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted() -> Interrupted:
    number = raised_by() or signal.SIGINT
    return Interrupted(f"interrupted by {signal_name(number)}", 128 + number)


def _leave(error: Interrupted) -> NoReturn:
    from .dispatch.leaving import leave_at_once

    leave_at_once(error.exit_code, str(error))  # PyTorch takes seconds to end in order


def _only_asks(argv: Sequence[str]) -> bool:
    """Whether help or the version is asked for, which work in spite of wrong defaults."""
    return bool({"-h", "--help", "--version"} & set(argv)) or VARIABLE in os.environ


def _mend_standard_streams() -> None:
    """Make up for streams that were closed (`2>&-`), and for those that cannot say all characters.

    Their numbers would go to the next files that are opened, where native libraries that write to
    the standard error output would then write.
    """
    if None in (sys.stdin, sys.stdout, sys.stderr):
        while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 -- until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")


def _stdout_refuses(error: OSError) -> bool:
    """Whether `error` came from writing to stdout: what it did not take fails again, then.

    Without a buffer (PYTHONUNBUFFERED) nothing shows it.
    """
    if sys.stdout is None:
        return False
    try:
        sys.stdout.flush()
    except OSError as again:
        # Python writes once more at the end, and would say a second time that it cannot.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return again.errno == error.errno
    return False


def _fail(kind: str, message: str, exit_code: int) -> NoReturn:
    if raised_by() is not None:  # this failure came of it
        _leave(_interrupted())
    print_line(f"framelift: {message}", err=True)
    with contextlib.suppress(OSError):  # the failure of standard output was reported before
        print_failure(kind, message, exit_code)
    sys.exit(exit_code)
