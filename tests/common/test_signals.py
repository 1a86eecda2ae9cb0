"""Signals that ask to stop."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from framelift.common.errors import Interrupted
from framelift.common.libraries.needed import needed_for
from framelift.common.signals import (
    SAME_PRESS_S,
    first_signal_stops,
    signals_as_errors,
    signals_as_interrupts,
    signals_noted,
)


@pytest.fixture
def hangup() -> Iterator[signal.Signals]:
    """SIGHUP, which the tests themselves may have to ignore."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield signal.SIGHUP
    signal.signal(signal.SIGHUP, before)


def test_a_closed_terminal_is_an_error(hangup: signal.Signals) -> None:
    with pytest.raises(Interrupted, match="interrupted by SIGHUP; no") as caught:  # noqa: SIM117
        with signals_as_errors():
            signal.raise_signal(hangup)
    assert caught.value.exit_code == 129
    assert signal.getsignal(hangup) == signal.SIG_DFL


def test_nohup_is_respected(hangup: signal.Signals) -> None:
    signal.signal(hangup, signal.SIG_IGN)
    stopped = list[str]()
    with signals_as_errors():
        signal.raise_signal(hangup)
        with first_signal_stops(stopped.append):
            signal.raise_signal(hangup)
    assert stopped == []
    assert signal.getsignal(hangup) == signal.SIG_IGN


def test_a_closed_terminal_ends_a_recording_well_though_it_says_so_twice(
    hangup: signal.Signals,
) -> None:
    stopped = list[str]()
    with signals_as_errors():
        with first_signal_stops(stopped.append):
            signal.raise_signal(hangup)
            signal.raise_signal(hangup)
            time.sleep(SAME_PRESS_S)
            signal.raise_signal(hangup)
            with pytest.raises(Interrupted, match="by SIGTERM"):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(hangup) != signal.SIG_IGN
    assert stopped == ["SIGHUP"]


def test_a_signal_that_is_sent_twice_at_once_is_one_request() -> None:
    stopped = list[str]()
    with signals_as_errors(), first_signal_stops(stopped.append):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert stopped == ["Ctrl-C"]
    with signals_noted() as request:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert request.number == signal.SIGINT
        time.sleep(SAME_PRESS_S)
        with pytest.raises(Interrupted, match="at once"):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize(
    ("block", "error", "seconds"),
    [(signals_as_errors, Interrupted, 10.0), (signals_as_interrupts, KeyboardInterrupt, 1.0)],
    ids=["errors", "interrupts"],
)
def test_what_a_library_lost_is_raised_again(
    monkeypatch: pytest.MonkeyPatch,
    block: Callable[[], AbstractContextManager[None]],
    error: type[BaseException],
    seconds: float,
) -> None:
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    with block():
        with pytest.raises(error):
            signal.raise_signal(signal.SIGTERM)
        clock = seconds - 0.1
        signal.raise_signal(signal.SIGINT)
        clock = seconds
        with pytest.raises(error):
            signal.raise_signal(signal.SIGINT)


class Freed:
    """Something that a signal reaches while it is freed, where Python drops errors."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def free_one_and_go_on() -> None:
    Freed()
    for _ in range(500):
        time.sleep(0.01)


def test_an_error_that_python_drops_is_raised_again(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt) as caught, signals_as_interrupts():
        free_one_and_go_on()
    assert caught.value.args == (signal.SIGTERM,)
    with pytest.raises(Interrupted, match="by SIGTERM; nothing"), signals_as_errors("nothing"):
        free_one_and_go_on()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "next_block",
    [signals_as_errors, signals_noted, lambda: needed_for("training", "framelift[train]")],
    ids=["errors", "noted", "imports"],
)
def test_an_error_that_a_library_swallows_is_raised_before_the_work(
    next_block: Callable[[], AbstractContextManager[object]],
) -> None:
    with signals_as_interrupts():
        with contextlib.suppress(KeyboardInterrupt):  # as of an import that need not work
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt) as caught, next_block():
            pass
    assert caught.value.args == (signal.SIGTERM,)


def test_errors_of_others_that_python_drops_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __del__(self) -> None:
            raise ValueError("of others")

    shown = list[str]()
    monkeypatch.setattr(sys, "unraisablehook", lambda what: shown.append(str(what.exc_value)))
    with signals_as_interrupts(), signals_as_errors():
        Broken()
    assert shown == ["of others"]
