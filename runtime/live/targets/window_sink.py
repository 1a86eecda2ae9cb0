"""Shows frames in a window of OpenCV."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np

from ....common.errors import MissingDependencyError, OutputError
from ....common.libraries.opencv import load_cv2, window_system
from ...video.clip.frame import Frame, Image

_TRIAL_SECONDS = 30.0
_CLOSING_KEYS = (27, ord("q"))


class WindowSink:
    """Keeps the newest frame for `pump`, which shows it and must be called by the main thread.

    Call `require_windows` first: without a display Qt ends the process.
    """

    def __init__(self, title: str) -> None:
        self._cv2 = load_cv2()
        self._title = title
        self._lock = threading.Lock()
        self._image: Image = np.empty((0, 0, 3), np.uint8)
        self._fresh = False
        self._opened = False

    def write(self, frame: Frame) -> None:
        with self._lock:
            if self._image.shape != frame.bgr.shape:
                self._image = np.empty_like(frame.bgr)
            np.copyto(self._image, frame.bgr)
            self._fresh = True

    def finish(self) -> None:
        pass

    def pump(self) -> bool:
        """Show what came and look at the keyboard; False once the user closed the window."""
        if not self._opened:
            self._cv2.namedWindow(self._title, self._cv2.WINDOW_NORMAL | self._cv2.WINDOW_KEEPRATIO)
            self._opened = True
        with self._lock:
            if self._fresh:
                self._cv2.imshow(self._title, self._image)
                self._fresh = False
        if self._cv2.waitKey(1) & 0xFF in _CLOSING_KEYS:
            return False
        return bool(self._cv2.getWindowProperty(self._title, self._cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        """Close the window, if it was opened."""
        if self._opened:
            self._cv2.destroyAllWindows()


def require_windows() -> None:
    """Check that OpenCV can show a window here.

    Raises:
        MissingDependencyError: OpenCV was built without windows.
        OutputError: there is no display.
    """
    cv2 = load_cv2()
    if window_system(cv2.getBuildInformation()) is None:
        raise MissingDependencyError(
            "window: the installed OpenCV is headless: run `pip uninstall -y "
            "opencv-python-headless && pip install --force-reinstall opencv-python`"
        )
    unix = sys.platform not in ("win32", "darwin")
    if unix and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OutputError("window: there is no display (DISPLAY is not set); write to a file")
    if unix and not _opens_in_child():
        raise OutputError(
            f"window: the display {os.environ.get('DISPLAY', '')!r} cannot be used; write to a file"
        )


def _opens_in_child() -> bool:
    """Qt ends the process when it cannot reach the display, so a child tries first."""
    code = "import cv2; cv2.namedWindow('framelift'); cv2.waitKey(1); cv2.destroyAllWindows()"
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, timeout=_TRIAL_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
