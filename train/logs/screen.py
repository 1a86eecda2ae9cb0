"""A terminal or pipe that may be gone before the training ends."""

from __future__ import annotations

import contextlib
import sys
from typing import Any, TextIO

from tqdm import tqdm


class Screen:
    """Passes text on to a stream; what it no longer takes is dropped, not raised."""

    def __init__(self, stream: TextIO | None) -> None:
        """`stream` is None where Python has none, as without a console."""
        self._stream = stream

    def write(self, text: str) -> None:
        """Write it if that is possible."""
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):  # ValueError: it was closed
                self._stream.write(text)

    def flush(self) -> None:
        """Flush it if that is possible."""
        if self._stream is not None:
            with contextlib.suppress(OSError, ValueError):
                self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what tqdm asks: encoding, fileno
        return getattr(self._stream, name)


def progress_bar(steps: int, done: int, *, quiet: bool) -> tqdm[None]:
    """A bar of training steps on stderr. The run goes on when the terminal is closed."""
    return tqdm(
        total=steps,
        initial=done,
        unit="step",
        disable=quiet,
        dynamic_ncols=True,
        file=Screen(sys.stderr),
    )
