"""Lines that a user must see although nothing failed."""

from __future__ import annotations

import sys
from collections.abc import Callable

Say = Callable[[str], None]
"""Takes one line of text meant for the user."""


def say_on_stderr(line: str) -> None:
    """Write `line` to the standard error output; what the library does unless told otherwise."""
    if sys.stderr is not None:  # else it is closed, or the program has no console
        sys.stderr.write(f"framelift: {line}\n")


def silent(line: str) -> None:
    """Drop a line that was said already, or is for another command to say."""


def once(say: Say) -> Say:
    """`say` for lines about many files: what follows the name is said of the first one alone."""
    said: set[str] = set()

    def say_new(line: str) -> None:
        what = line.partition(": ")[2]
        if what not in said:
            said.add(what)
            say(line)

    return say_new
