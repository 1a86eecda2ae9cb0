"""Every failure is one line on stderr and a non-zero exit code."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from framelift.cli.main import framelift, main


def test_a_path_that_the_system_refuses_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    name = 300 * "a"
    with pytest.raises(SystemExit) as ended:
        main(["check", f"{name}.onnx"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == f"framelift: {name}.onnx: File name too long\n"


def test_too_little_memory_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run_out(*arguments: object, **options: object) -> None:
        raise MemoryError("Unable to allocate 10.1 GiB")

    monkeypatch.setattr(framelift, "main", run_out)
    with pytest.raises(SystemExit) as ended:
        main(["check", "m.onnx"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == "framelift: out of memory: Unable to allocate 10.1 GiB\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["upscale"], "Missing argument 'IN' (see `framelift upscale --help`)"),
        (["nosuch"], "No such command 'nosuch' (see `framelift --help`)"),
        (
            ["upscale", "--scale", "0", "a.png", "b.png"],
            "Invalid value for '--scale': 0.0 is not in the range 0<x<=64 "
            "(see `framelift upscale --help`)",
        ),
    ],
)
def test_a_mistyped_command_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"framelift: {line}\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"framelift {version('framelift')}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["upscale", "--help"], ["bench", "--help"]])
def test_help_loads_nothing_that_takes_time(arguments: list[str]) -> None:
    """The modules are looked at, not the clock, which says little on a busy machine."""
    code = (
        "import sys\n"
        "from framelift.cli.main import main\n"
        "try:\n"
        "    main(sys.argv[1:])\n"
        "except SystemExit:\n"
        "    print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "framelift.cli.upscale" in loaded
    heavy = {"av", "cv2", "numpy", "onnx", "onnxruntime", "torch", "tqdm", "importlib.metadata"}
    assert loaded & heavy == set()
    ours = {name.split(".")[1] for name in loaded if name.startswith("framelift.")}
    assert ours == {"cli", "imaging"}
