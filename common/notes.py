"""Lines that a user must see although nothing failed."""

from __future__ import annotations

import sys
from collections.abc import Callable

from .text import printable

Say = Callable[[str], None]
"""Takes one line of text meant for the user."""


def say_on_stderr(line: str) -> None:
    """Write `line` to the standard error output; the default of the library."""
    if sys.stderr is not None:  # else it is closed, or the program has no console
        sys.stderr.write(f"framelift: {printable(line)}\n")


def silent(line: str) -> None:
    """Drop a line that was printed already, or that another command prints."""


def once(say: Say) -> Say:
    """`say` for lines about many files: of those that differ only in the name, only the first."""
    printed: set[str] = set()

    def say_new(line: str) -> None:
        what = line.partition(": ")[2]
        if what not in printed:
            printed.add(what)
            say(line)

    return say_new
