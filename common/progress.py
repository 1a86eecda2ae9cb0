"""How far a long piece of work is, on the standard error output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

from .closing import Closing

if TYPE_CHECKING:
    from tqdm import tqdm

LINE_EVERY_SECONDS = 10.0


@contextmanager
def above_bar() -> Iterator[None]:
    """Write lines to the standard error output inside this without tearing the bar."""
    if "tqdm" not in sys.modules:  # there is no bar
        yield
        return
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stderr):
        yield


class Progress(Closing):
    """A bar on a terminal, else a line every ten seconds."""

    def __init__(
        self,
        title: str,
        total: int | None,
        *,
        quiet: bool = False,
        at_once: bool = False,
        **bar: Any,  # noqa: ANN401 - what tqdm takes
    ) -> None:
        """`total` is what is to be done; `bar` is passed on to tqdm. The first line comes after ten
        seconds, or `at_once`.
        """
        self._quiet = quiet
        self._total = total
        self._bar: tqdm[None] | None = None
        self._next_line = 0.0 if at_once else monotonic() + LINE_EVERY_SECONDS
        if not quiet and sys.stderr.isatty():
            from tqdm import tqdm  # a single picture needs no bar

            tqdm.monitor_interval = 0  # its thread would outlive the bar
            self._bar = tqdm(desc=title, total=total, **bar)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()

    def show(self, done: int, line: Callable[[], str], postfix: str = "") -> None:
        """Show that `done` of the total is done; where there is no terminal, what `line` returns.

        Call it as often as you like. The bar only grows.
        """
        if self._bar is not None:
            if postfix:
                self._bar.set_postfix_str(postfix, refresh=False)
            self._bar.update(max(0, done - self._bar.n))
        elif not self._quiet and done != self._total and monotonic() >= self._next_line:
            self._next_line = monotonic() + LINE_EVERY_SECONDS
            sys.stderr.write(f"{line()}\n")
