"""What README and docs show works: the library loop runs, every command line is understood."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import pytest

from framelift.cli.main import framelift
from framelift.runtime import Upscaler

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


class Camera:
    """Stands in for the camera: three frames, then no more."""

    def __init__(self, index: int) -> None:
        self._left = 3

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        self._left -= 1
        return (True, np.full((12, 16, 3), 90, np.uint8)) if self._left >= 0 else (False, None)


def test_the_library_loop_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[np.ndarray] = []
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(cv2, "imshow", lambda title, frame: shown.append(frame))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: -1)
    (loop,) = (code for code in blocks(ROOT / "README.md", "python") if "VideoCapture" in code)
    exec(compile(loop, "README.md", "exec"), {})
    assert [frame.shape for frame in shown] == [(48, 64, 3)] * 3
    assert all(abs(float(frame.mean()) - 90) < 5 for frame in shown)


def test_the_python_of_the_guide_runs() -> None:
    frame = np.full((12, 16, 3), 90, np.uint8)
    for code in blocks(ROOT / "docs" / "python.md", "python"):
        names: dict[str, Any] = {"frame": frame, "frames": [frame, frame]}
        exec(compile(code, "docs/python.md", "exec"), names | {"Upscaler": Upscaler})


def command_lines() -> list[tuple[str, str]]:
    """(page, command line) of every `framelift ...` in a shell block."""
    found = []
    for page in PAGES:
        text = "\n".join(blocks(page, "sh")).replace("\\\n", " ")
        lines = (line.strip() for line in text.splitlines())
        found += [(page.name, line) for line in lines if line.startswith("framelift ")]
    return found


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_command_lines_are_understood(page: str, line: str) -> None:
    _, *words = shlex.split(line, comments=True)
    command: Any = framelift
    context = click.Context(framelift)
    while isinstance(command, click.Group):
        name, command, words = command.resolve_command(context, words)
        context = click.Context(command, parent=context, info_name=name)
    try:
        command.make_context(context.info_name, list(words))  # parses, does not run
    except click.exceptions.Exit:
        return  # an option that answers by itself, such as --list-presets
    assert command.callback is not None


def test_the_readme_shows_commands() -> None:
    assert len([line for page, line in command_lines() if page == "README.md"]) >= 5


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_tests_that_the_page_on_robustness_names_exist() -> None:
    text = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.*) \| (.*) \|$", text, re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, len(rows) + 1))
    assert len(rows) >= 50
    for number, _, tests in rows:
        assert "`tests/" in tests, f"promise {number} names no test"
    for page, test in re.findall(r"`(tests/[^\s`]+\.py)::(test_\w+)`", text):
        source = (ROOT / page).read_text(encoding="utf-8")
        assert f"\ndef {test}(" in source, f"{page} has no {test}"
