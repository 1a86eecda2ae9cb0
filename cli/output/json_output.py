"""What commands print for programs: one JSON document, for failures too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import click

SCHEMA = 1


@dataclass
class _Output:
    """Whether JSON was asked for, where it goes, and whether it was printed."""

    wanted: bool = False
    on_stderr: bool = False
    printed: bool = False


_output = _Output()


def expect_json(arguments: Sequence[str]) -> None:
    """Note whether the command line asks for JSON: by --json, in `bench` by `--json -`."""
    options = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    wanted = "--json" in options
    if options[:1] == ["bench"]:
        wanted = any(pair == ("--json", "-") for pair in pairwise(options))
    # Where the frames go to the standard output, messages go to the standard error output.
    frames_on_stdout = options[:1] in (["upscale"], ["stylize"]) and "-" in options[2:]
    _output.wanted, _output.on_stderr, _output.printed = wanted, frames_on_stdout, False


def print_json(document: object, *, indent: int | None = 2, err: bool = False) -> None:
    """Print a command's result; numbers that are not finite, which JSON has not, are null."""
    import json

    click.echo(json.dumps(_finite(document), indent=indent, ensure_ascii=False), err=err)
    _output.printed = True


def print_failure(kind: str, message: str, exit_code: int) -> None:
    """Print that the command failed, if JSON was asked for and nothing was printed yet."""
    if _output.wanted and not _output.printed:
        error = {"kind": kind, "message": message}
        document = {"schema": SCHEMA, "error": error, "exit_code": exit_code}
        print_json(document, err=_output.on_stderr)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
