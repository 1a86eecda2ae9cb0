"""Shells are offered commands, options, models, presets and backends."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framelift.cli.main import main
from framelift.cli.options.completions import BACKENDS
from framelift.runtime.backends.select import AUTO
from framelift.runtime.backends.select import BACKENDS as REAL
from framelift.runtime.models.zoo import shipped_models

from ..support.waiting import PATIENCE_S

# What bash does when Tab is pressed behind the words it is given.
PRESS_TAB = """
compopt() { :; }  # there is no command line here whose completion it could change
eval "$(framelift completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_framelift_completion framelift "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the command `framelift`."""
    folder = tmp_path_factory.mktemp("bin")
    command = folder / "framelift"
    code = "import sys; from framelift.cli.main import main; main(sys.argv[1:])"
    command.write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{code}' \"$@\"\n")
    command.chmod(0o755)
    return folder


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["upsc"], ["upscale"]),
        (["bench", "lat"], ["latency"]),
        (["upscale", "--comp"], ["--compare"]),
        (
            ["inspect", "realtime-nano-x4"],
            [
                "realtime-nano-x4",
                "realtime-nano-x4-int8",
                "realtime-nano-x4-video",
                "realtime-nano-x4-video-int8",
            ],
        ),
        (["upscale", "--model", "starry"], ["starry-night", "starry-night-video"]),
        (["train", "compact-"], ["compact-x2", "compact-x4"]),
        (["upscale", "--backend", "onnx-w"], ["onnx-webgpu"]),
        (["export", "--precision", "i"], ["int8"]),
    ],
)
def test_bash_is_offered_what_fits(binaries: Path, words: list[str], offered: list[str]) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-c", PRESS_TAB, "bash", "framelift", *words],
        env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout.split() == offered, done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_printed(capsys: pytest.CaptureFixture[str], shell: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert ended.value.code == 0
    assert f"_FRAMELIFT_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_all_backends_are_offered() -> None:
    assert (AUTO, *REAL) == BACKENDS


def test_all_models_are_offered(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_FRAMELIFT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "framelift check ")
    monkeypatch.setenv("COMP_CWORD", "2")
    with pytest.raises(SystemExit):
        main([])
    offered = [line.partition(",")[2] for line in capsys.readouterr().out.splitlines()]
    assert offered[1:] == sorted(shipped_models())
