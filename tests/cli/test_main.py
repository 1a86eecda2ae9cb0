"""Every failure is one line on stderr and a non-zero exit code."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from importlib.metadata import version
from pathlib import Path

import pytest

from framelift.cli.main import framelift, main

from ..support.clips import frame_times, make_clip
from ..support.waiting import PATIENCE_S


@pytest.mark.parametrize(
    ("command", "suffix", "others"),
    [("check", ".onnx", ()), ("upscale", ".mp4", ("o.mp4",)), ("upscale", ".mp4", ("-",))],
)
def test_a_path_that_the_system_refuses_is_one_line(
    capsys: pytest.CaptureFixture[str], command: str, suffix: str, others: tuple[str, ...]
) -> None:
    name = 300 * "a" + suffix
    with pytest.raises(SystemExit) as ended:
        main([command, name, *others])
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith(f"framelift: {name}")
    assert said.endswith(": File name too long\n")
    assert said.count("\n") == 1


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


def test_threads_that_cannot_be_started_are_one_line(
    tmp_path: Path,
    nearest_model_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = make_clip(tmp_path / "a.mp4")
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "framelift_encode":  # the last of three
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    options = ("--model", nearest_model_path, "--backend", "onnx-cpu", "-q")
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in ("upscale", source, tmp_path / "b.mp4", *options)])
    assert ended.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("framelift: no more threads can be started: memory is short")
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".mp4"] == ["a.mp4"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["upscale"], "Missing argument 'IN...' (see `framelift upscale --help`)"),
        (["upscale", "a.mp4"], "Missing argument 'OUT' (see `framelift upscale --help`)"),
        (
            ["upscale", "a", "b", "--scale", "x"],
            "Invalid value for '--scale': 'x' is not a number (see `framelift upscale --help`)",
        ),
        (
            ["upscale", "a", "b", "--tile", "x"],
            "Invalid value for '--tile': 'x' is not a whole number "
            "(see `framelift upscale --help`)",
        ),
        (
            ["upscale", "a", "b", "--modle", "x"],
            "No such option '--modle'; did you mean '--model'? (see `framelift upscale --help`)",
        ),
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


def shell(redirected: str, *arguments: str | Path, **variables: str) -> tuple[int, str, str]:
    """The command under a shell that redirects its streams; its exit code, stdout and stderr."""
    code = "import sys; from framelift.cli.main import main; main(sys.argv[1:])"
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-c", code, *arguments],
        capture_output=True,
        timeout=PATIENCE_S,
        env={**os.environ, **variables},
        check=False,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-", "1>&- 2>&-"])
def test_a_closed_stderr_does_not_stop_the_work(
    tmp_path: Path, nearest_model_path: Path, closed: str
) -> None:
    source, target = tmp_path / "in.mp4", tmp_path / "out.mkv"  # of which there is a note to say
    make_clip(source)
    code, _, _ = shell(closed, "upscale", source, target, "--model", nearest_model_path)
    assert code == 0
    assert len(frame_times(target)) == len(frame_times(source))


def test_the_numbers_of_closed_streams_are_not_given_to_files() -> None:
    code = (
        "import os, sys\n"
        "from framelift.cli.main import main\n"
        "try:\n"
        "    main(['--version'])\n"
        "except SystemExit:\n"
        "    sys.exit(os.open(os.devnull, os.O_RDONLY))\n"
    )
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code],
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode > 2


def test_characters_that_the_terminal_lacks_are_replaced(
    tmp_path: Path, nearest_model_path: Path
) -> None:
    model = tmp_path / "a–b.onnx"
    model.write_bytes(nearest_model_path.read_bytes())
    code, out, err = shell("", "inspect", model, PYTHONIOENCODING="latin-1")
    assert (code, err) == (0, "")
    assert "a?b.onnx" in out
    assert "super-resolution ×4" in out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_stdout_that_takes_nothing_is_named(nearest_model_path: Path) -> None:
    code, _, err = shell(">/dev/full", "inspect", nearest_model_path, PYTHONUNBUFFERED="")
    assert (code, err) == (1, "framelift: stdout: cannot be written to (No space left on device)\n")


def test_other_errors_of_the_system_are_not_blamed_on_stdout(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(framelift, "main", fail)
    with pytest.raises(SystemExit):
        main(["models"])
    assert capsys.readouterr().err == "framelift: No space left on device\n"


@pytest.mark.parametrize("command", ["upscale", "stylize"])
@pytest.mark.parametrize(("names", "empty"), [(("", "out.mp4"), "IN..."), (("in.mp4", ""), "OUT")])
def test_an_empty_name_is_not_the_current_folder(
    capsys: pytest.CaptureFixture[str], command: str, names: tuple[str, str], empty: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, *names])
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        f"framelift: Invalid value for '{empty}': is empty (an unset variable?); name a file, "
        f"a folder or a stream (see `framelift {command} --help`)\n"
    )


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
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=PATIENCE_S
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    command = arguments[0] if arguments[0] != "--help" else "upscale"
    assert f"framelift.cli.{command}" in loaded
    heavy = {"av", "cv2", "numpy", "onnx", "onnxruntime", "torch", "tqdm", "importlib.metadata"}
    assert loaded & heavy == set()
    ours = {name.split(".")[1] for name in loaded if name.startswith("framelift.")}
    assert ours == {"cli", "common"}
