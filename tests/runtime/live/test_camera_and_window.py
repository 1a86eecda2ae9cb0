"""Cameras and windows, as far as a machine without either can tell."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from framelift.common.errors import InputError, MissingDependencyError, OutputError
from framelift.runtime.live.run import upscale_live
from framelift.runtime.live.sources.address import parse_source
from framelift.runtime.live.sources.opening import LiveOptions
from framelift.runtime.live.targets import window_sink as window_module
from framelift.runtime.live.targets.address import parse_target
from framelift.runtime.video.clip.frame import Image
from framelift.runtime.video.writing.encoders import EncoderOptions

from ...support.clips import Nearest, frame_times, make_clip, noise


class Camera:
    """Stands in for `cv2.VideoCapture`: gives twenty frames and fails, twice."""

    opened = 0

    def __init__(self, index: int) -> None:
        Camera.opened += 1
        self._left = 20

    def isOpened(self) -> bool:  # noqa: N802
        return Camera.opened <= 2

    def set(self, prop: int, value: float) -> bool:
        return True

    def get(self, prop: int) -> float:
        return 30.0

    def read(self, image: Image | None = None) -> tuple[bool, Image]:
        threading.Event().wait(0.01)
        self._left -= 1
        return self._left >= 0, np.full((48, 64, 3), max(0, self._left), np.uint8)

    def release(self) -> None:
        pass


def test_a_camera_is_recorded_until_it_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr("framelift.runtime.live.sources.reconnecting._FIRST_WAIT_SECONDS", 0.03)
    Camera.opened = 0
    target, notes = tmp_path / "out.mp4", list[str]()
    result = upscale_live(
        parse_source("0"),
        parse_target(str(target)),
        Nearest(),
        EncoderOptions(preset="ultrafast"),
        LiveOptions(reconnect_seconds=1),
        quiet=True,
        say=notes.append,
    )
    assert notes[0] == "camera 0: stopped sending pictures; reconnecting"
    assert result.reconnects == 1
    assert "camera 0: cannot be opened" in str(result.failure)
    times = frame_times(target)
    assert len(times) == result.stats.frames_written
    assert times == sorted(set(times))


def test_no_camera_is_one_line() -> None:
    with pytest.raises(InputError, match=r"^camera 97: cannot be opened"):
        upscale_live(parse_source("97"), parse_target("null"), Nearest())


@pytest.fixture
def display(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A window that remembers what it was asked to do and is closed after some frames."""
    seen: dict[str, Any] = {"shown": [], "threads": set(), "frames": 3, "closed": 0}

    def show(title: str, image: Image) -> None:
        seen["shown"].append(image.copy())
        seen["threads"].add(threading.current_thread())

    def visible(title: str, prop: int) -> float:
        return 1.0 if len(seen["shown"]) < seen["frames"] else 0.0

    def close() -> None:
        seen["closed"] += 1

    monkeypatch.setattr(window_module, "require_windows", lambda: None)
    monkeypatch.setattr("framelift.runtime.live.run.require_windows", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", lambda title, flags: None)
    monkeypatch.setattr(cv2, "imshow", show)
    monkeypatch.setattr(cv2, "waitKey", lambda milliseconds: -1)
    monkeypatch.setattr(cv2, "getWindowProperty", visible)
    monkeypatch.setattr(cv2, "destroyAllWindows", close)
    return seen


def test_a_window_shows_frames_until_it_is_closed(tmp_path: Path, display: dict[str, Any]) -> None:
    source = make_clip(tmp_path / "a.mp4", noise(90))
    result = upscale_live(parse_source(str(source)), parse_target("window"), Nearest(), quiet=True)
    assert result.ended_by == "the window"
    assert len(display["shown"]) == 3
    assert display["shown"][0].shape == (96, 128, 3)
    assert display["threads"] == {threading.main_thread()}
    assert display["closed"] == 1
    assert result.stats.frames_written < 60


def test_without_a_display_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:  NONE\n")
    with pytest.raises(MissingDependencyError, match="OpenCV is headless: run `pip uninstall"):
        window_module.require_windows()
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:  QT5\n")
    if sys.platform == "linux":
        monkeypatch.delenv("DISPLAY", raising=False)
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        with pytest.raises(OutputError, match="there is no display"):
            window_module.require_windows()
        monkeypatch.setenv("DISPLAY", ":97")
        with pytest.raises(OutputError, match="the display ':97' cannot be used"):
            window_module.require_windows()
