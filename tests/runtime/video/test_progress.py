"""What is shown while a video is upscaled."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import threading

import pytest

from framelift.common import progress
from framelift.runtime.video.progress import VideoProgress
from framelift.runtime.video.stats import PipelineStats


def stats(frames: int) -> PipelineStats:
    return PipelineStats(frames_written=frames, wall_seconds=frames / 8)


def test_a_bar_with_speed_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    threads = threading.active_count()
    with os.fdopen(slave, "w") as terminal, os.fdopen(master, "rb", buffering=0) as screen:
        monkeypatch.setattr(sys, "stderr", terminal)
        with VideoProgress("clip.mp4", 40) as show:
            show(stats(10))
            show(stats(40))
        terminal.flush()
        text = ""
        while "40/40" not in text:  # a terminal hands on what was written piece by piece
            text += screen.read(10000).decode(errors="replace")
    assert "clip.mp4:   0%" in text
    assert "40/40 [" in text
    assert "frames/s, ETA 00:00]" in text
    assert threading.active_count() == threads


def test_lines_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    with VideoProgress("clip.mp4", 40) as show:
        show(stats(10))
    with VideoProgress("clip.mp4", None) as show:
        show(stats(10))
    assert capsys.readouterr().err == (
        "clip.mp4: 10/40 frames, 8.0 fps, 4 s left\nclip.mp4: 10 frames, 8.0 fps\n"
    )


def test_quiet_shows_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    with VideoProgress("clip.mp4", 40, quiet=True) as show:
        show(stats(10))
    assert capsys.readouterr().err == ""
