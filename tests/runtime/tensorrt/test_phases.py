from __future__ import annotations

import threading

import pytest

from framelift.common import progress as progress_module
from framelift.common.signals import call_interruptibly
from framelift.runtime.tensorrt.phases import BuildProgress, PhaseTree

from ...support.waiting import PATIENCE_S


def test_phases_within_phases_make_one_fraction() -> None:
    tree = PhaseTree()
    assert (tree.fraction(), tree.label()) == (0.0, "")
    tree.start("build", None, 4)
    tree.step("build", 0)
    assert tree.fraction() == 0.25
    tree.start("tactics", "build", 2)
    tree.step("tactics", 0)
    assert tree.fraction() == pytest.approx(0.25 + 0.5 / 4)
    assert tree.label() == "tactics"
    tree.finish("tactics")
    tree.step("build", 1)
    assert tree.fraction() == 0.5
    assert tree.label() == "build"
    tree.finish("build")
    assert tree.fraction() == 0.0


def test_phases_that_make_no_sense_do_no_harm() -> None:
    tree = PhaseTree()
    tree.start("a", "unknown parent", 0)
    tree.step("a", 99)
    tree.step("never started", 1)
    tree.finish("never started")
    assert tree.fraction() == 1.0
    tree.start("child", "a", 3)
    tree.finish("a")
    assert tree.label() == ""


def test_progress_says_a_line_now_and_then_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "LINE_EVERY_SECONDS", 0.0)
    with BuildProgress("building tiny") as progress:
        progress.phase_start("Building Engine", None, 2)
        assert progress.step_complete("Building Engine", 0)
    assert capsys.readouterr().err.splitlines()[-1] == "building tiny: 50 % (Building Engine)"


def test_quiet_progress(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "LINE_EVERY_SECONDS", 0.0)
    with BuildProgress("building tiny", quiet=True) as progress:
        progress.phase_start("Building Engine", None, 2)
        progress.phase_finish("Building Engine")
    assert capsys.readouterr().err == ""


def test_cancelled_build_is_told_to_stop() -> None:
    progress = BuildProgress("building tiny", quiet=True)
    progress.phase_start("Building Engine", None, 2)
    progress.cancel()
    assert not progress.step_complete("Building Engine", 0)


def test_cancellable_call_gives_result_or_error() -> None:
    assert call_interruptibly(lambda: 3, lambda: None) == 3
    with pytest.raises(ZeroDivisionError):
        call_interruptibly(lambda: 1 // 0, lambda: None)


def test_interrupted_call_is_cancelled_and_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, ended = threading.Event(), threading.Event()

    def work() -> None:
        stop.wait(PATIENCE_S)
        ended.set()

    def interrupted(self: object, timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("concurrent.futures.Future.result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        call_interruptibly(work, stop.set)
    assert ended.is_set()
