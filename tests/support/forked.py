"""Commands in processes of their own that need not import PyTorch again: it is imported once, by a
server from which they are forked.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["framelift.train.loop.start", "framelift.cli.train"])


class Forked:
    """Code with arguments, as of `python -c`; used like `subprocess.Popen` with pipes and text."""

    def __init__(
        self, code: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        """What it writes goes to two files in a new folder."""
        folder.mkdir()
        self._texts = [folder / name for name in ("stdout", "stderr")]
        self._process = _CONTEXT.Process(
            target=_run, args=(code, list(arguments), dict(environment), self._texts)
        )
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """The exit code, a negative signal, or None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process.pid is not None
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end, and return what it wrote to standard output and error."""
        self._process.join(timeout)
        out, err = (path.read_text() if path.exists() else "" for path in self._texts)
        return out, err


def _run(code: str, arguments: list[str], environment: dict[str, str], texts: list[Path]) -> None:
    for descriptor, path in enumerate(texts, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})
