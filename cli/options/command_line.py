"""Takes passwords out of this process's command line, where `ps` shows them to every user."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def hide_arguments(secrets: dict[str, str]) -> None:
    """Overwrite arguments, each a key, by what may be shown, each a value.

    Only Linux lets a process do that; elsewhere, and where the system refuses, nothing happens.
    What Python holds of the arguments stays as it is.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        process = Path("/proc/self")
        fields = (process / "stat").read_bytes().rpartition(b")")[2].split()
        start, end = int(fields[45]), int(fields[46])  # arg_start and arg_end, 48th and 49th of all
        line = (process / "cmdline").read_bytes()
        with (process / "mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            if memory.read(end - start) != line:
                return
            memory.seek(start)
            memory.write(_hidden(line, secrets))


def _hidden(line: bytes, secrets: dict[str, str]) -> bytes:
    """The command line, of the same length."""
    encoded = {os.fsencode(secret): os.fsencode(shown) for secret, shown in secrets.items()}
    arguments = (
        encoded[argument][: len(argument)].ljust(len(argument)) if argument in encoded else argument
        for argument in line.split(b"\0")
    )
    return b"\0".join(arguments)
