"""How far it is and how long it will take, on the standard error output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import TracebackType
from typing import Self

from tqdm import tqdm

from .stats import PipelineStats

_LINE_EVERY_SECONDS = 10.0

Listener = Callable[[int, int | None, float], None]
"""Takes the frames written, those of the whole clip if known, and frames per second."""
_listeners: list[Listener] = []


def listen(listener: Listener) -> None:
    """Tell `listener` as well how far all videos of this process are, shown or not."""
    _listeners.append(listener)


@contextmanager
def above_bar() -> Iterator[None]:
    """Write lines to the standard error output inside this without tearing the bar."""
    with tqdm.external_write_mode(file=sys.stderr):
        yield


class Progress:
    """A bar with frames per second and time left on a terminal, else a line every ten seconds.

    Call it with the statistics of the pipeline as often as you like.
    """

    def __init__(self, name: str, total: int | None, *, quiet: bool = False) -> None:
        self._name = name
        self._total = total
        self._quiet = quiet
        self._bar: tqdm[None] | None = None
        self._next_line = monotonic() + _LINE_EVERY_SECONDS
        if not quiet and sys.stderr.isatty():
            tqdm.monitor_interval = 0  # its thread would outlive the bar
            self._bar = tqdm(
                desc=name,
                total=total,
                unit=" frames",
                dynamic_ncols=True,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{rate_noinv_fmt}, ETA {remaining}]",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stats: PipelineStats) -> None:
        """Show the state."""
        for listener in _listeners:
            listener(stats.frames_written, self._total, stats.fps)
        if self._bar is not None:
            self._bar.update(stats.frames_written - self._bar.n)
        elif not self._quiet and monotonic() >= self._next_line:
            self._next_line = monotonic() + _LINE_EVERY_SECONDS
            sys.stderr.write(f"{self._line(stats)}\n")

    def _line(self, stats: PipelineStats) -> str:
        of, eta = "", ""
        if self._total:
            of = f"/{self._total}"
            if stats.fps > 0:
                left = max(0, self._total - stats.frames_written) / stats.fps
                eta = f", {left:.0f} s left"
        return f"{self._name}: {stats.frames_written}{of} frames, {stats.fps:.1f} fps{eta}"
