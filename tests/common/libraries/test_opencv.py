from __future__ import annotations

import sys

import pytest

from framelift.common.errors import MissingDependencyError
from framelift.common.libraries.opencv import load_cv2


def _break_cv2(monkeypatch: pytest.MonkeyPatch, error: ImportError) -> None:
    class Broken:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "cv2":
                raise error

    monkeypatch.delitem(sys.modules, "cv2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])


def test_cv2_is_returned() -> None:
    assert load_cv2().__name__ == "cv2"


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (ModuleNotFoundError("No module named 'cv2'"), "pip install opencv-python"),
        (ImportError("libGL.so.1: cannot open shared object file"), "apt-get install libgl1"),
        (ImportError("libGL.so.1: cannot open shared object file"), "opencv-python-headless"),
        (ImportError("libgthread-2.0.so.0: cannot open"), "apt-get install libglib2.0-0"),
        (ImportError("numpy.core.multiarray failed to import"), "--force-reinstall"),
    ],
)
def test_broken_cv2_names_the_command_that_mends_it(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, command: str
) -> None:
    _break_cv2(monkeypatch, error)
    with pytest.raises(MissingDependencyError, match=command):
        load_cv2()


def test_cv2_for_which_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ImportError("cv2.abi3.so: failed to map segment from shared object")
    _break_cv2(monkeypatch, error)
    with pytest.raises(MemoryError, match="failed to map segment"):
        load_cv2()
